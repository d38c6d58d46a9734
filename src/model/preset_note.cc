// SPDX-License-Identifier: MIT
// The AlexNet of the study note: one column, no LRN, conv1 with padding 1,
// 227×227 images. Names are those of its two nn.Sequential in PyTorch.
#include "model/presets.h"

namespace alexnet {

ModelSpec NotePreset(const PresetOptions& options) {
  const DropoutSpec dropout = {options.dropout};
  return {.arch = "note",
          .input = {3, 227, 227},
          .classes = options.classes,
          .layers = {{"features.0", SquareConv(3, 96, 11, 4, 1)},
                     {"features.1", ReluSpec{}},
                     {"features.2", kPool3x3},
                     {"features.3", SquareConv(96, 256, 5, 1, 2)},
                     {"features.4", ReluSpec{}},
                     {"features.5", kPool3x3},
                     {"features.6", SquareConv(256, 384, 3, 1, 1)},
                     {"features.7", ReluSpec{}},
                     {"features.8", SquareConv(384, 384, 3, 1, 1)},
                     {"features.9", ReluSpec{}},
                     {"features.10", SquareConv(384, 256, 3, 1, 1)},
                     {"features.11", ReluSpec{}},
                     {"features.12", kPool3x3},
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
