// SPDX-License-Identifier: MIT
// The network of Krizhevsky, Sutskever and Hinton, "ImageNet classification
// with deep convolutional neural networks" (NIPS 2012), as the text describes
// it: two columns that meet in conv3 and in the linear layers, normalisation
// after the ReLU of conv1 and conv2, weights drawn from N(0, 0.01), biases 1
// in conv2, conv4, conv5 and the hidden linear layers. Its 224×224 input gives
// 55×55 because the authors' convolution rounds the output size up.
//
// The formula in the text multiplies the sum of squares by alpha; the
// authors' code divides it by the window's size first, and so do we.
#include "model/presets.h"

namespace alexnet {

ModelSpec Alexnet2012Preset(const PresetOptions& options) {
  const LocalResponseNormSpec norm = {
      .size = 5, .alpha = 1e-4, .beta = 0.75, .k = 2};
  const DropoutSpec dropout = {options.dropout};
  const InitSpec bias0 = {.kind = InitKind::kNormal, .std = 0.01, .bias = 0};
  const InitSpec bias1 = {.kind = InitKind::kNormal, .std = 0.01, .bias = 1};
  Conv2dSpec first = SquareConv(3, 96, 11, 4, 0);
  first.ceil_mode = true;
  return {.arch = "alexnet2012",
          .input = {3, 224, 224},
          .classes = options.classes,
          .layers = {{"conv1", first, bias0},
                     {"relu1", ReluSpec{}},
                     {"norm1", norm},
                     {"pool1", kPool3x3},
                     {"conv2", SquareConv(96, 256, 5, 1, 2, 2), bias1},
                     {"relu2", ReluSpec{}},
                     {"norm2", norm},
                     {"pool2", kPool3x3},
                     {"conv3", SquareConv(256, 384, 3, 1, 1), bias0},
                     {"relu3", ReluSpec{}},
                     {"conv4", SquareConv(384, 384, 3, 1, 1, 2), bias1},
                     {"relu4", ReluSpec{}},
                     {"conv5", SquareConv(384, 256, 3, 1, 1, 2), bias1},
                     {"relu5", ReluSpec{}},
                     {"pool5", kPool3x3},
                     {"flatten", FlattenSpec{}},
                     {"fc6", LinearSpec{256 * 6 * 6, 4096}, bias1},
                     {"relu6", ReluSpec{}},
                     {"drop6", dropout},
                     {"fc7", LinearSpec{4096, 4096}, bias1},
                     {"relu7", ReluSpec{}},
                     {"drop7", dropout},
                     {"fc8", LinearSpec{4096, options.classes}, bias0}}};
}

}  // namespace alexnet
