// SPDX-License-Identifier: MIT
// PyTorch's default initialisation of Conv2d and Linear, and normal values.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <thread>
#include <vector>

#include "alexnet/model.h"
#include "core/philox.h"
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

// Where a dropout mask has its epoch; no epoch is that large.
constexpr uint32_t kInitCounter = 0xFFFF'FFFF;

// In (0, 1).
double Unit(uint32_t word) { return (word + 0.5) * 0x1p-32; }

// Box and Muller: two of Philox's words become two normal values. `values` are
// those from `first` on, a multiple of four.
void NormalPart(uint64_t seed, size_t parameter, double std, size_t first,
                std::span<float> values) {
  for (size_t i = 0; i < values.size(); i += 4) {
    const Philox4 words =
        Philox({static_cast<uint32_t>((first + i) / 4),
                static_cast<uint32_t>(parameter), 0, kInitCounter},
               seed);
    for (size_t j = 0; j < std::min<size_t>(4, values.size() - i); ++j) {
      const size_t pair = j / 2 * 2;
      const double radius = std * std::sqrt(-2 * std::log(Unit(words[pair])));
      const double angle = 2 * std::numbers::pi * Unit(words[pair + 1]);
      values[i + j] = static_cast<float>(
          radius * (j % 2 == 0 ? std::cos(angle) : std::sin(angle)));
    }
  }
}

// A value depends on its number alone, so that several threads can draw.
void Normal(uint64_t seed, size_t parameter, double std,
            std::span<float> values) {
  constexpr size_t kLeast = size_t{1} << 16;  // for a thread to be worth it
  const size_t threads =
      std::clamp<size_t>(values.size() / kLeast, 1,
                         std::max(1U, std::thread::hardware_concurrency()));
  const size_t part = (values.size() / threads + 4) / 4 * 4;
  std::vector<std::jthread> running;
  for (size_t first = 0; first < values.size(); first += part) {
    const auto mine =
        values.subspan(first, std::min(part, values.size() - first));
    running.emplace_back(
        [=] { NormalPart(seed, parameter, std, first, mine); });
  }
}

double NormalStd(const ParameterInfo& parameter) {
  return parameter.init.kind == InitKind::kNormal
             ? parameter.init.std
             : std::sqrt(2 / static_cast<double>(parameter.fan_in));
}

}  // namespace

void InitialParameters(
    const ModelSpec& model, uint64_t seed,
    const std::function<void(const ParameterInfo&, std::span<const float>)>&
        sink) {
  const std::vector<ParameterInfo> parameters = Parameters(model);
  TorchRandom random(seed);
  std::vector<float> values;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ParameterInfo& parameter = parameters[i];
    values.resize(static_cast<size_t>(parameter.elements));
    if (parameter.init.kind == InitKind::kTorch) {
      const auto bound = static_cast<float>(Bound(parameter));
      random.Uniform(-bound, bound, values);
    } else if (parameter.bias) {
      std::fill(values.begin(), values.end(),
                static_cast<float>(parameter.init.bias));
    } else {
      Normal(seed, i, NormalStd(parameter), values);
    }
    sink(parameter, values);
  }
}

}  // namespace alexnet
