// SPDX-License-Identifier: MIT
// Pictures of a training: the loss over the steps and the confusion matrix.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace alexnet {

struct LossSeries {
  std::vector<double> steps;  // ascending
  std::vector<double> losses;
  // Optional: the loss on held-out images, one for an epoch.
  std::vector<double> validation_steps;
  std::vector<double> validation_losses;
};

// Draws the losses, pale, and their moving average over them, as a PNG or an
// SVG by the name's extension. Losses that are not finite leave gaps and are
// counted in the legend; long series are thinned out so that every bend that
// a screen can show stays. Throws Error if the file cannot be written,
// UsageError for another extension or lists of unequal length.
void PlotLoss(const std::filesystem::path& path, const LossSeries& series,
              const std::string& title = "Training loss");

// The exponential moving average without its bias towards 0 at the start.
// Values that are not finite are skipped: the average keeps its last value,
// and is NaN before the first.
std::vector<double> SmoothedLosses(std::span<const double> losses);

// counts[i * n + j]: images of class i that were taken for class j. A PNG;
// the colour is the share of the true class.
void PlotConfusion(const std::filesystem::path& path,
                   const std::vector<std::string>& names,
                   std::span<const int64_t> counts);

}  // namespace alexnet
