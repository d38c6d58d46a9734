// SPDX-License-Identifier: MIT
// Caffe's two AlexNets (BVLC/caffe, models/bvlc_alexnet and
// models/bvlc_reference_caffenet): 227×227, two groups, LRN with k = 1, linear
// layers drawn from N(0, 0.005), biases with twice the rate and no decay. They
// differ in two things: bvlc_alexnet normalises before it pools and begins
// with biases of 0.1 where the paper has 1, since 1 did not train; CaffeNet
// pools first, and trains with 1.
#include "model/presets.h"

namespace alexnet {
namespace {

struct Variant {
  const char* arch;
  bool pool_first;
  double bias;
};

ModelSpec Make(const Variant& variant, const PresetOptions& options) {
  const DropoutSpec dropout = {options.dropout};
  const RateSpec rates = {.bias_lr = 2, .bias_decay = 0};
  ModelSpec model = {.arch = variant.arch,
                     .input = {3, 227, 227},
                     .classes = options.classes,
                     .layers = {}};
  const auto add = [&](const char* name, const LayerOp& op) {
    model.layers.push_back({name, op});
  };
  const auto train = [&](const char* name, const LayerOp& op, double std,
                         double bias) {
    const InitSpec init = {InitKind::kNormal, std, bias};
    model.layers.push_back({name, op, init, rates});
  };
  const auto pool_and_norm = [&](const char* pool, const char* norm) {
    const LocalResponseNormSpec lrn = {
        .size = 5, .alpha = 1e-4, .beta = 0.75, .k = 1};
    if (!variant.pool_first) add(norm, lrn);
    add(pool, kPool3x3);
    if (variant.pool_first) add(norm, lrn);
  };
  train("conv1", SquareConv(3, 96, 11, 4, 0), 0.01, 0);
  add("relu1", ReluSpec{});
  pool_and_norm("pool1", "norm1");
  train("conv2", SquareConv(96, 256, 5, 1, 2, 2), 0.01, variant.bias);
  add("relu2", ReluSpec{});
  pool_and_norm("pool2", "norm2");
  train("conv3", SquareConv(256, 384, 3, 1, 1), 0.01, 0);
  add("relu3", ReluSpec{});
  train("conv4", SquareConv(384, 384, 3, 1, 1, 2), 0.01, variant.bias);
  add("relu4", ReluSpec{});
  train("conv5", SquareConv(384, 256, 3, 1, 1, 2), 0.01, variant.bias);
  add("relu5", ReluSpec{});
  add("pool5", kPool3x3);
  add("flatten", FlattenSpec{});
  train("fc6", LinearSpec{256 * 6 * 6, 4096}, 0.005, variant.bias);
  add("relu6", ReluSpec{});
  add("drop6", dropout);
  train("fc7", LinearSpec{4096, 4096}, 0.005, variant.bias);
  add("relu7", ReluSpec{});
  add("drop7", dropout);
  train("fc8", LinearSpec{4096, options.classes}, 0.01, 0);
  return model;
}

}  // namespace

ModelSpec CaffeAlexnetPreset(const PresetOptions& options) {
  return Make({"caffe-alexnet", /*pool_first=*/false, /*bias=*/0.1}, options);
}

ModelSpec CaffenetPreset(const PresetOptions& options) {
  return Make({"caffenet", /*pool_first=*/true, /*bias=*/1}, options);
}

}  // namespace alexnet
