// SPDX-License-Identifier: MIT
// The table of a network's parameters.
#include "alexnet/model.h"

namespace alexnet {
namespace {

// Adds the weight and the bias of one layer that has any.
class ParameterLister {
 public:
  ParameterLister(const std::string& name, size_t layer,
                  std::vector<ParameterInfo>& list)
      : name_(name), layer_(layer), list_(list) {}

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
    list_.push_back({.name = name_ + ".weight",
                     .shape = std::move(weight_shape),
                     .elements = outputs * fan_in,
                     .layer = layer_,
                     .bias = false,
                     .fan_in = fan_in});
    list_.push_back({.name = name_ + ".bias",
                     .shape = {outputs},
                     .elements = outputs,
                     .layer = layer_,
                     .bias = true,
                     .fan_in = fan_in});
  }

  const std::string& name_;
  size_t layer_;
  std::vector<ParameterInfo>& list_;
};

}  // namespace

std::vector<ParameterInfo> Parameters(const ModelSpec& model) {
  InferLayers(model);  // throws unless the specs make sense
  std::vector<ParameterInfo> list;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    std::visit(ParameterLister(model.layers[i].name, i, list),
               model.layers[i].op);
  }
  return list;
}

int64_t ParameterCount(const ModelSpec& model) {
  int64_t count = 0;
  for (const LayerInfo& layer : InferLayers(model)) count += layer.parameters;
  return count;
}

}  // namespace alexnet
