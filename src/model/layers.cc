// SPDX-License-Identifier: MIT
// Shapes and multiply-adds through a network, and every check of a ModelSpec.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "alexnet/error.h"
#include "alexnet/model.h"
#include "model/infer_layer.h"

namespace alexnet {
namespace {

// Generous for any network, small enough that no product below overflows
// unnoticed.
constexpr int64_t kMaxElements = int64_t{1} << 40;

[[noreturn]] void Fail(const std::string& layer, const std::string& what) {
  throw UsageError(Concat("layer ", layer, ": ", what));
}

std::string Text(const Shape3& shape) {
  return Concat(shape.channels, "×", shape.height, "×", shape.width);
}

void CheckPositive(const std::string& layer, const char* what, int64_t value) {
  if (value < 1 || value > std::numeric_limits<int32_t>::max()) {
    Fail(layer, Concat(what, " must be at least 1 and below 2³¹, is ", value));
  }
}

void CheckSize(const std::string& layer, const char* what, const Size2& size) {
  CheckPositive(layer, what, size.height);
  CheckPositive(layer, what, size.width);
}

void CheckPadding(const std::string& layer, const Padding& padding) {
  for (const int64_t side :
       {padding.top, padding.left, padding.bottom, padding.right}) {
    if (side < 0 || side > std::numeric_limits<int32_t>::max()) {
      Fail(layer, Concat("padding must be 0 or more and below 2³¹, is ", side));
    }
  }
}

// Product of positive factors; fails where it passes kMaxElements.
int64_t Product(const std::string& layer,
                std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  for (const int64_t factor : factors) {
    if (product > kMaxElements / factor) {
      Fail(layer, Concat("is too large: more than ", kMaxElements,
                         " values or multiply-adds"));
    }
    product *= factor;
  }
  return product;
}

// Windows along one axis. `padded` is the input with both paddings.
int64_t Windows(const std::string& layer, int64_t padded, int64_t kernel,
                int64_t stride, bool ceil_mode) {
  if (kernel > padded) {
    Fail(layer, Concat("kernel of ", kernel, " does not fit into an input of ",
                       padded, ", padding included"));
  }
  const int64_t room = padded - kernel;
  return (ceil_mode ? room + stride - 1 : room) / stride + 1;
}

// Of pooling: in ceil mode the last window must begin before `limit`, the
// input with its leading padding.
int64_t PoolWindows(const std::string& layer, int64_t input, int64_t before,
                    int64_t after, int64_t kernel, int64_t stride,
                    bool ceil_mode) {
  if (2 * before > kernel || 2 * after > kernel) {
    Fail(layer, Concat("padding must be at most half the kernel of ", kernel,
                       ", is ", std::max(before, after)));
  }
  const int64_t windows =
      Windows(layer, input + before + after, kernel, stride, ceil_mode);
  const bool begins_inside = (windows - 1) * stride < input + before;
  return begins_inside ? windows : windows - 1;
}

// Fills output, parameters and macs of `info` from its input.
class Inference {
 public:
  explicit Inference(LayerInfo& info) : info_(info) {}

  void operator()(const Conv2dSpec& conv) {
    const std::string& name = info_.name;
    CheckPositive(name, "in_channels", conv.in_channels);
    CheckPositive(name, "out_channels", conv.out_channels);
    CheckPositive(name, "groups", conv.groups);
    CheckSize(name, "kernel", conv.kernel);
    CheckSize(name, "stride", conv.stride);
    CheckPadding(name, conv.padding);
    if (conv.in_channels != info_.input.channels) {
      Fail(name, Concat("takes ", conv.in_channels, " channels, its input is ",
                        Text(info_.input)));
    }
    if (conv.in_channels % conv.groups || conv.out_channels % conv.groups) {
      Fail(name, Concat(conv.groups, " groups do not divide ", conv.in_channels,
                        " input and ", conv.out_channels, " output channels"));
    }
    const Padding& pad = conv.padding;
    info_.output = {
        conv.out_channels,
        Windows(name, info_.input.height + pad.top + pad.bottom,
                conv.kernel.height, conv.stride.height, conv.ceil_mode),
        Windows(name, info_.input.width + pad.left + pad.right,
                conv.kernel.width, conv.stride.width, conv.ceil_mode)};
    const int64_t weights =
        Product(name, {conv.out_channels, conv.in_channels / conv.groups,
                       conv.kernel.height, conv.kernel.width});
    info_.parameters = weights + conv.out_channels;
    info_.macs =
        Product(name, {weights, info_.output.height, info_.output.width});
  }

  void operator()(const ReluSpec&) { info_.output = info_.input; }

  void operator()(const LocalResponseNormSpec& norm) { Norm(norm); }
  void operator()(const MapResponseNormSpec& norm) {
    if (norm.size % 2 == 0) Fail(info_.name, "size must be odd");
    Norm(norm);
  }

  void operator()(const MaxPool2dSpec& pool) {
    const std::string& name = info_.name;
    CheckSize(name, "kernel", pool.kernel);
    CheckSize(name, "stride", pool.stride);
    CheckPadding(name, pool.padding);
    CheckPositive(name, "values of a window",
                  pool.kernel.height * pool.kernel.width);
    const Padding& pad = pool.padding;
    info_.output = {
        info_.input.channels,
        PoolWindows(name, info_.input.height, pad.top, pad.bottom,
                    pool.kernel.height, pool.stride.height, pool.ceil_mode),
        PoolWindows(name, info_.input.width, pad.left, pad.right,
                    pool.kernel.width, pool.stride.width, pool.ceil_mode)};
  }

  void operator()(const FlattenSpec&) {
    info_.output = {info_.input.elements(), 1, 1};
  }

  void operator()(const DropoutSpec& dropout) {
    if (!(dropout.p >= 0 && dropout.p < 1)) {
      Fail(info_.name, Concat("probability must be in [0, 1), is ", dropout.p));
    }
    info_.output = info_.input;
  }

  void operator()(const LinearSpec& linear) {
    CheckPositive(info_.name, "in_features", linear.in_features);
    CheckPositive(info_.name, "out_features", linear.out_features);
    if (info_.input != Shape3{linear.in_features, 1, 1}) {
      Fail(info_.name, Concat("takes a vector of ", linear.in_features,
                              ", its input is ", Text(info_.input)));
    }
    info_.output = {linear.out_features, 1, 1};
    info_.macs = Product(info_.name, {linear.in_features, linear.out_features});
    info_.parameters = info_.macs + linear.out_features;
  }

 private:
  template <class NormSpec>
  void Norm(const NormSpec& norm) {
    CheckPositive(info_.name, "size", norm.size);
    if (!std::isfinite(norm.alpha) || norm.alpha < 0 ||
        !std::isfinite(norm.beta) || norm.beta < 0 || !std::isfinite(norm.k) ||
        norm.k <= 0) {
      Fail(info_.name,
           Concat("alpha and beta must be 0 or more and k above 0, are ",
                  norm.alpha, ", ", norm.beta, ", ", norm.k));
    }
    info_.output = info_.input;
  }

  LayerInfo& info_;
};

struct TypeNames {
  std::string_view operator()(const Conv2dSpec&) const { return "Conv2d"; }
  std::string_view operator()(const ReluSpec&) const { return "ReLU"; }
  std::string_view operator()(const LocalResponseNormSpec&) const {
    return "LocalResponseNorm";
  }
  std::string_view operator()(const MapResponseNormSpec&) const {
    return "MapResponseNorm";
  }
  std::string_view operator()(const MaxPool2dSpec&) const {
    return "MaxPool2d";
  }
  std::string_view operator()(const FlattenSpec&) const { return "Flatten"; }
  std::string_view operator()(const DropoutSpec&) const { return "Dropout"; }
  std::string_view operator()(const LinearSpec&) const { return "Linear"; }
};

}  // namespace

std::string_view TypeName(const LayerOp& op) {
  return std::visit(TypeNames{}, op);
}

LayerInfo InferLayer(const LayerSpec& layer, const Shape3& input) {
  LayerInfo info;
  info.name = layer.name;
  info.type = TypeName(layer.op);
  info.input = input;
  std::visit(Inference(info), layer.op);
  const Shape3& output = info.output;
  Product(layer.name, {output.channels, output.height, output.width});
  return info;
}

std::vector<LayerInfo> InferLayers(const ModelSpec& model) {
  CheckPositive("input", "channels", model.input.channels);
  CheckPositive("input", "height", model.input.height);
  CheckPositive("input", "width", model.input.width);
  Product("input",
          {model.input.channels, model.input.height, model.input.width});
  std::vector<LayerInfo> infos;
  std::set<std::string> names;
  Shape3 shape = model.input;
  for (const LayerSpec& layer : model.layers) {
    if (layer.name.empty() || !names.insert(layer.name).second) {
      Fail("'" + layer.name + "'", "a layer's name must be unique, not empty");
    }
    infos.push_back(InferLayer(layer, shape));
    shape = infos.back().output;
  }
  if (infos.empty()) throw UsageError("the model has no layers");
  if (model.classes < 1 || shape.elements() != model.classes) {
    Fail(infos.back().name,
         Concat("the last layer must yield ", model.classes,
                " values, one for each class; it yields ", Text(shape)));
  }
  return infos;
}

}  // namespace alexnet
