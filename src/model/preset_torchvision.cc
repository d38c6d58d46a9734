// SPDX-License-Identifier: MIT
// torchvision.models.alexnet: the single-column network of Krizhevsky, "One
// weird trick for parallelizing convolutional neural networks" (2014), without
// its normalisation. Not the network of 2012. Names are torchvision's own; its
// adaptive average pooling to 6×6 does nothing at 224×224 and is left out.
#include "model/presets.h"

namespace alexnet {

ModelSpec TorchvisionPreset(const PresetOptions& options) {
  const DropoutSpec dropout = {options.dropout};
  return {.arch = "torchvision",
          .input = {3, 224, 224},
          .classes = options.classes,
          .layers = {{"features.0", SquareConv(3, 64, 11, 4, 2)},
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
                     {"classifier.1", LinearSpec{256 * 6 * 6, 4096}},
                     {"classifier.2", ReluSpec{}},
                     {"classifier.3", dropout},
                     {"classifier.4", LinearSpec{4096, 4096}},
                     {"classifier.5", ReluSpec{}},
                     {"classifier.6", LinearSpec{4096, options.classes}}}};
}

}  // namespace alexnet
