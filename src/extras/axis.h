// SPDX-License-Identifier: MIT
// One axis of a chart: from numbers to pixels, and where its ticks stand.
#pragma once

#include <string>
#include <vector>

namespace alexnet {

struct Axis {
  double low = 0;  // of the numbers
  double high = 1;
  double from = 0;  // the pixels that low and high fall on
  double to = 1;

  double Pixel(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

// Round numbers (1, 2 or 5 times a power of ten apart) in [low, high], at most
// `most` and one, no closer than `least_spacing`.
std::vector<double> Ticks(double low, double high, int most,
                          double least_spacing = 0);

// The tick as text, short for what lies `spacing` apart.
std::string TickText(double tick, double spacing);

// Widens a range too narrow for its ticks to differ in five digits.
void EnsureRange(double& low, double& high);

}  // namespace alexnet
