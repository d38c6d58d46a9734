// SPDX-License-Identifier: MIT
// A data set as training sees it, and ten views of each image for evaluation.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "alexnet/dataset.h"
#include "data/augment_spec.h"

namespace alexnet {

struct AugmentOptions {
  AugmentSpec spec;
  uint64_t seed = 0;
  std::array<uint8_t, 3> mean_colour = {128, 128, 128};  // of erased parts
  // For AugmentKind::kPca, on the scale of bytes: row k is the k-th component,
  // a unit vector times the standard deviation along it.
  std::array<std::array<double, 3>, 3> components = {};
};

// `dataset` must outlive it. ReadForTraining augments; Read does not, except
// that of an image whose training shows patches it gives the middle one.
std::unique_ptr<Dataset> Augmented(const Dataset& dataset,
                                   const AugmentOptions& options);

// Image 10·i + v is view v of image i: the square of this side in the four
// corners and the middle, then the same mirrored.
inline constexpr int64_t kTenCropViews = 10;
std::unique_ptr<Dataset> TenCrops(const Dataset& dataset, int64_t side);

}  // namespace alexnet
