// SPDX-License-Identifier: MIT
// The networks that presets.cc knows by name, one function and file each.
#pragma once

#include "alexnet/model.h"

namespace alexnet {

// A square kernel with the same stride and padding on all sides.
inline Conv2dSpec SquareConv(int64_t in, int64_t out, int64_t kernel,
                             int64_t stride, int64_t pad, int64_t groups = 1) {
  return {.in_channels = in,
          .out_channels = out,
          .kernel = {kernel, kernel},
          .stride = {stride, stride},
          .padding = {pad, pad, pad, pad},
          .groups = groups};
}

// AlexNet's overlapping pooling.
inline constexpr MaxPool2dSpec kPool3x3 = {.kernel = {3, 3}, .stride = {2, 2}};

ModelSpec Alexnet2012Preset(const PresetOptions& options);
ModelSpec Alexnet2012SourcePreset(const PresetOptions& options);
ModelSpec CaffeAlexnetPreset(const PresetOptions& options);
ModelSpec CaffenetPreset(const PresetOptions& options);
ModelSpec TorchvisionPreset(const PresetOptions& options);
ModelSpec CifarSmallPreset(const PresetOptions& options);
ModelSpec NotePreset(const PresetOptions& options);
ModelSpec Lenet5Preset(const PresetOptions& options);

}  // namespace alexnet
