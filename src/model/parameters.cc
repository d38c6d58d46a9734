// SPDX-License-Identifier: MIT
// The table of a network's parameters.
#include <algorithm>

#include "alexnet/error.h"
#include "alexnet/model.h"

namespace alexnet {
namespace {

// Adds the weight and the bias of one layer that has any.
class ParameterLister {
 public:
  ParameterLister(const LayerSpec& spec, size_t layer,
                  std::vector<ParameterInfo>& list)
      : spec_(spec), layer_(layer), list_(list) {}

  void operator()(const Conv2dSpec& conv) {
    const int64_t channels = conv.in_channels / conv.groups;
    Add({conv.out_channels, channels, conv.kernel.height, conv.kernel.width});
  }
  void operator()(const LinearSpec& linear) {
    Add({linear.out_features, linear.in_features});
  }
  template <class Other>
  void operator()(const Other&) {}

 private:
  void Add(std::vector<int64_t> weight_shape) {
    const int64_t outputs = weight_shape[0];
    int64_t fan_in = 1;
    for (size_t i = 1; i < weight_shape.size(); ++i) fan_in *= weight_shape[i];
    const RateSpec& rates = spec_.rates;
    list_.push_back({.name = spec_.name + ".weight",
                     .shape = std::move(weight_shape),
                     .elements = outputs * fan_in,
                     .layer = layer_,
                     .bias = false,
                     .fan_in = fan_in,
                     .init = spec_.init,
                     .lr_multiplier = rates.weight_lr,
                     .decay_multiplier = rates.weight_decay,
                     .frozen = spec_.frozen});
    list_.push_back({.name = spec_.name + ".bias",
                     .shape = {outputs},
                     .elements = outputs,
                     .layer = layer_,
                     .bias = true,
                     .fan_in = fan_in,
                     .init = spec_.init,
                     .lr_multiplier = rates.bias_lr,
                     .decay_multiplier = rates.bias_decay,
                     .frozen = spec_.frozen});
  }

  const LayerSpec& spec_;
  size_t layer_;
  std::vector<ParameterInfo>& list_;
};

bool HasParameters(const LayerOp& op) {
  return std::holds_alternative<Conv2dSpec>(op) ||
         std::holds_alternative<LinearSpec>(op);
}

}  // namespace

std::vector<ParameterInfo> Parameters(const ModelSpec& model) {
  InferLayers(model);  // throws unless the specs make sense
  std::vector<ParameterInfo> list;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    std::visit(ParameterLister(model.layers[i], i, list), model.layers[i].op);
  }
  return list;
}

int64_t ParameterCount(const ModelSpec& model) {
  int64_t count = 0;
  for (const LayerInfo& layer : InferLayers(model)) count += layer.parameters;
  return count;
}

void SetInit(ModelSpec& model, const InitSpec& init) {
  for (LayerSpec& layer : model.layers) {
    if (HasParameters(layer.op)) layer.init = init;
  }
}

void SetHeInit(ModelSpec& model) {
  SetInit(model, {.kind = InitKind::kHe});
  const auto last = std::find_if(
      model.layers.rbegin(), model.layers.rend(),
      [](const LayerSpec& layer) { return HasParameters(layer.op); });
  if (last != model.layers.rend()) {
    last->init = {.kind = InitKind::kNormal, .std = 0.01};
  }
}

void Freeze(ModelSpec& model, std::span<const std::string> names) {
  for (const std::string& name : names) {
    bool named = false;
    bool frozen = false;
    for (LayerSpec& layer : model.layers) {
      if (layer.name != name && !layer.name.starts_with(name + ".")) continue;
      named = true;
      layer.frozen = HasParameters(layer.op);
      frozen = frozen || layer.frozen;
    }
    if (!frozen) {
      throw UsageError(
          Concat("freeze: the network ", model.arch,
                 named ? " has no parameters in layer '" : " has no layer '",
                 name, "'"));
    }
  }
}

std::string Text(const InitSpec& init) {
  switch (init.kind) {
    case InitKind::kTorch:
      break;
    case InitKind::kNormal:
      return Concat("N(0, ", init.std, "), bias ", init.bias);
    case InitKind::kHe:
      return Concat("N(0, √(2/fan_in)), bias ", init.bias);
  }
  return "U(±1/√fan_in)";
}

}  // namespace alexnet
