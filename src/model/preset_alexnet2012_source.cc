// SPDX-License-Identifier: MIT
// The network that the released code of 2012 trains (Computer History Museum,
// AlexNet-Source-Code, layers/layers-145.cfg), whose logged errors are those
// of the paper. It differs from the text: conv1 is normalised and pooled
// before its ReLU, conv2 has a second normalisation within each map, conv5 is
// pooled before its ReLU, conv3 to conv5 begin three times wider, and biases
// learn at twice the rate of the weights and do not decay. The constant biases
// are the text's.
#include "model/presets.h"

namespace alexnet {

ModelSpec Alexnet2012SourcePreset(const PresetOptions& options) {
  const LocalResponseNormSpec norm = {
      .size = 5, .alpha = 1e-4, .beta = 0.75, .k = 2};
  const MapResponseNormSpec map_norm = {
      .size = 5, .alpha = 1e-3, .beta = 0.75, .k = 1};
  const DropoutSpec dropout = {options.dropout};
  const RateSpec rates = {.bias_lr = 2, .bias_decay = 0};
  const auto init = [](double std, double bias) {
    return InitSpec{.kind = InitKind::kNormal, .std = std, .bias = bias};
  };
  Conv2dSpec first = SquareConv(3, 96, 11, 4, 0);
  first.ceil_mode = true;
  return {
      .arch = "alexnet2012-source",
      .input = {3, 224, 224},
      .classes = options.classes,
      .layers = {
          {"conv1", first, init(0.01, 0), rates},
          {"norm1", norm},
          {"pool1", kPool3x3},
          {"relu1", ReluSpec{}},
          {"conv2", SquareConv(96, 256, 5, 1, 2, 2), init(0.01, 1), rates},
          {"relu2", ReluSpec{}},
          {"norm2", norm},
          {"cnorm2", map_norm},
          {"pool2", kPool3x3},
          {"conv3", SquareConv(256, 384, 3, 1, 1), init(0.03, 0), rates},
          {"relu3", ReluSpec{}},
          {"conv4", SquareConv(384, 384, 3, 1, 1, 2), init(0.03, 1), rates},
          {"relu4", ReluSpec{}},
          {"conv5", SquareConv(384, 256, 3, 1, 1, 2), init(0.03, 1), rates},
          {"pool5", kPool3x3},
          {"relu5", ReluSpec{}},
          {"flatten", FlattenSpec{}},
          {"fc6", LinearSpec{256 * 6 * 6, 4096}, init(0.01, 1), rates},
          {"relu6", ReluSpec{}},
          {"drop6", dropout},
          {"fc7", LinearSpec{4096, 4096}, init(0.01, 1), rates},
          {"relu7", ReluSpec{}},
          {"drop7", dropout},
          {"fc8", LinearSpec{4096, options.classes}, init(0.01, 0), rates}}};
}

}  // namespace alexnet
