// SPDX-License-Identifier: MIT
// How an image becomes the network's input.
#pragma once

#include <array>
#include <cstdint>

namespace alexnet {

// Resize (Pillow's bilinear, on bytes), then x/255, then (x − mean)/std, in
// float32 and in that order, as torchvision's Resize, ToTensor and Normalize.
// The target size is the model's input. Engines carry it out, straight into
// the layout that their first layer reads.
struct InputTransform {
  std::array<float, 3> mean = {0.5F, 0.5F, 0.5F};
  std::array<float, 3> std = {0.5F, 0.5F, 0.5F};
  bool operator==(const InputTransform&) const = default;
};

}  // namespace alexnet
