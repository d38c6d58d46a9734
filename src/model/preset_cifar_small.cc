// SPDX-License-Identifier: MIT
// AlexNet's shape for images of 32×32 as they are: five convolutions, three
// overlapping poolings (32, 15, 7, 3) and three linear layers, with the widths
// of the single-column network and a first kernel of 5×5, since 11×11 with
// stride 4 would leave 8×8. Ours; weights begin as SetHeInit sets them.
#include "model/presets.h"

namespace alexnet {

ModelSpec CifarSmallPreset(const PresetOptions& options) {
  const DropoutSpec dropout = {options.dropout};
  ModelSpec model = {
      .arch = "cifar-small",
      .input = {3, 32, 32},
      .classes = options.classes,
      .layers = {{"features.0", SquareConv(3, 64, 5, 1, 2)},
                 {"features.1", ReluSpec{}},
                 {"features.2", kPool3x3},
                 {"features.3", SquareConv(64, 192, 5, 1, 2)},
                 {"features.4", ReluSpec{}},
                 {"features.5", kPool3x3},
                 {"features.6", SquareConv(192, 384, 3, 1, 1)},
                 {"features.7", ReluSpec{}},
                 {"features.8", SquareConv(384, 256, 3, 1, 1)},
                 {"features.9", ReluSpec{}},
                 {"features.10", SquareConv(256, 256, 3, 1, 1)},
                 {"features.11", ReluSpec{}},
                 {"features.12", kPool3x3},
                 {"flatten", FlattenSpec{}},
                 {"classifier.0", dropout},
                 {"classifier.1", LinearSpec{256 * 3 * 3, 1024}},
                 {"classifier.2", ReluSpec{}},
                 {"classifier.3", dropout},
                 {"classifier.4", LinearSpec{1024, 1024}},
                 {"classifier.5", ReluSpec{}},
                 {"classifier.6", LinearSpec{1024, options.classes}}}};
  SetHeInit(model);
  return model;
}

}  // namespace alexnet
