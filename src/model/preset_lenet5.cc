// SPDX-License-Identifier: MIT
// LeNet-5 as PyTorch tutorials have it: ReLU and max pooling, 3×32×32 images.
// It has no dropout.
#include "model/presets.h"

namespace alexnet {
namespace {

Conv2dSpec Conv5x5(int64_t in, int64_t out) {
  return {.in_channels = in, .out_channels = out, .kernel = {5, 5}};
}

}  // namespace

ModelSpec Lenet5Preset(const PresetOptions& options) {
  const MaxPool2dSpec pool = {.kernel = {2, 2}, .stride = {2, 2}};
  return {.arch = "lenet5",
          .input = {3, 32, 32},
          .classes = options.classes,
          .layers = {{"conv1", Conv5x5(3, 6)},
                     {"relu1", ReluSpec{}},
                     {"pool1", pool},
                     {"conv2", Conv5x5(6, 16)},
                     {"relu2", ReluSpec{}},
                     {"pool2", pool},
                     {"flatten", FlattenSpec{}},
                     {"fc1", LinearSpec{16 * 5 * 5, 120}},
                     {"relu3", ReluSpec{}},
                     {"fc2", LinearSpec{120, 84}},
                     {"relu4", ReluSpec{}},
                     {"fc3", LinearSpec{84, options.classes}}}};
}

}  // namespace alexnet
