// SPDX-License-Identifier: MIT
// PyTorch's default initialisation of Conv2d and Linear.
#include <algorithm>
#include <cmath>

#include "alexnet/model.h"
#include "core/torch_random.h"

namespace alexnet {
namespace {

// Both are 1/√fan_in, but rounded as PyTorch's own expressions round: those of
// kaiming_uniform_(weight, a=√5) and of the bias in reset_parameters.
double Bound(const ParameterInfo& parameter) {
  const double root = std::sqrt(static_cast<double>(parameter.fan_in));
  if (parameter.bias) return 1 / root;
  const double slope = std::sqrt(5.0);
  const double gain = std::sqrt(2 / (1 + slope * slope));
  return std::sqrt(3.0) * (gain / root);
}

}  // namespace

void InitialParameters(
    const ModelSpec& model, uint64_t seed,
    const std::function<void(const ParameterInfo&, std::span<const float>)>&
        sink) {
  const std::vector<ParameterInfo> parameters = Parameters(model);
  TorchRandom random(seed);
  std::vector<float> values;
  for (const ParameterInfo& parameter : parameters) {
    values.resize(static_cast<size_t>(parameter.elements));
    const auto bound = static_cast<float>(Bound(parameter));
    random.Uniform(-bound, bound, values);
    sink(parameter, values);
  }
}

}  // namespace alexnet
