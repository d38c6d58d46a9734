// SPDX-License-Identifier: MIT
// The AlexNet of the study note: one column, no LRN, conv1 with padding 1,
// 227×227 images. Names are those of its two nn.Sequential in PyTorch.
#include "model/presets.h"

namespace alexnet {
namespace {

Conv2dSpec Conv(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                int64_t pad) {
  return {.in_channels = in,
          .out_channels = out,
          .kernel = {kernel, kernel},
          .stride = {stride, stride},
          .padding = {pad, pad, pad, pad}};
}

}  // namespace

ModelSpec NotePreset(const PresetOptions& options) {
  const MaxPool2dSpec pool = {.kernel = {3, 3}, .stride = {2, 2}};
  const DropoutSpec dropout = {options.dropout};
  return {.arch = "note",
          .input = {3, 227, 227},
          .classes = options.classes,
          .layers = {{"features.0", Conv(3, 96, 11, 4, 1)},
                     {"features.1", ReluSpec{}},
                     {"features.2", pool},
                     {"features.3", Conv(96, 256, 5, 1, 2)},
                     {"features.4", ReluSpec{}},
                     {"features.5", pool},
                     {"features.6", Conv(256, 384, 3, 1, 1)},
                     {"features.7", ReluSpec{}},
                     {"features.8", Conv(384, 384, 3, 1, 1)},
                     {"features.9", ReluSpec{}},
                     {"features.10", Conv(384, 256, 3, 1, 1)},
                     {"features.11", ReluSpec{}},
                     {"features.12", pool},
                     {"flatten", FlattenSpec{}},
                     {"classifier.0", dropout},
                     {"classifier.1", LinearSpec{256 * 6 * 6, 4096}},
                     {"classifier.2", ReluSpec{}},
                     {"classifier.3", dropout},
                     {"classifier.4", LinearSpec{4096, 4096}},
                     {"classifier.5", ReluSpec{}},
                     {"classifier.6", LinearSpec{4096, options.classes}}}};
}

}  // namespace alexnet
