// SPDX-License-Identifier: MIT
#include "engine/cpu/kernel_plan.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include "alexnet/error.h"
#include "engine/cpu/conv_times.h"

namespace alexnet::cpu {
namespace {

constexpr std::pair<std::string_view, ConvAlgorithm> kNames[] = {
    {"direct", ConvAlgorithm::kDirect},
    {"winograd", ConvAlgorithm::kWinograd},
    {"tiles", ConvAlgorithm::kTiles}};

std::string_view NameOf(ConvAlgorithm algorithm) {
  return std::ranges::find(kNames, algorithm,
                           [](const auto& name) { return name.second; })
      ->first;
}

std::optional<ConvAlgorithm> AlgorithmOf(std::string_view name) {
  for (const auto& [known, algorithm] : kNames) {
    if (name == known) return algorithm;
  }
  return {};
}

bool Describes(const ConvTimes& line, const Conv2dSpec& spec,
               const Shape3& input, Isa isa) {
  // What is measured with AVX-512 holds with what only adds bfloat16.
  return line.isa == std::min(isa, Isa::kAvx512) && line.input == input &&
         line.out_channels == spec.out_channels &&
         spec.kernel == Size2{line.kernel, line.kernel} &&
         spec.stride == Size2{line.stride, line.stride};
}

// Times differ by that much from run to run.
constexpr double kClearlyFaster = 0.9;

// The index of the lowest time that was measured, if it is clearly lower than
// the preferred one.
template <size_t n>
size_t Fastest(const std::array<double, n>& times, size_t preferred) {
  const auto faster = [](double a, double b) {
    return a > 0 && (b <= 0 || a < b);
  };
  const auto lowest = std::min_element(times.begin(), times.end(), faster);
  if (*lowest >= kClearlyFaster * times[preferred]) return preferred;
  return static_cast<size_t>(lowest - times.begin());
}

}  // namespace

std::string Text(const ConvAlgorithms& algorithms) {
  return Concat(NameOf(algorithms.forward), ' ',
                NameOf(algorithms.backward_data), ' ',
                NameOf(algorithms.backward_weights));
}

ConvAlgorithms DefaultAlgorithms(const Conv2dSpec& spec, const Shape3& input,
                                 Isa isa, Precision precision) {
  using enum ConvAlgorithm;
  if (precision != Precision::kBfloat16) {
    return DefaultAlgorithms(spec, input, isa, kConvTimes);
  }
  const ConvAlgorithm all = isa >= Isa::kAmx ? kTiles : kWinograd;
  return {all, all, all};
}

ConvAlgorithms DefaultAlgorithms(const Conv2dSpec& spec, const Shape3& input,
                                 Isa isa, std::span<const ConvTimes> table) {
  using enum ConvAlgorithm;
  // Data and weights, in the order of ConvTimes::backward.
  constexpr std::pair<ConvAlgorithm, ConvAlgorithm> kBackward[] = {
      {kDirect, kDirect},
      {kWinograd, kWinograd},
      {kDirect, kWinograd},
      {kWinograd, kDirect}};
  const auto line =
      std::find_if(table.begin(), table.end(), [&](const ConvTimes& times) {
        return Describes(times, spec, input, isa);
      });
  if (line == table.end()) return {kWinograd, kWinograd, kWinograd};
  // The first layer has no data gradient.
  const size_t preferred = line->backward[1] > 0 ? 1 : 2;
  const auto [data, weights] = kBackward[Fastest(line->backward, preferred)];
  return {Fastest(line->forward, 1) == 0 ? kDirect : kWinograd, data, weights};
}

ConvAlgorithms KernelPlan::For(std::string_view layer) const {
  const auto found = convolutions.find(layer);
  return found == convolutions.end() ? ConvAlgorithms{} : found->second;
}

KernelPlan KernelPlan::Parse(const std::string& text) {
  KernelPlan plan;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    bool known = true;
    if (name == "slice") {
      words >> plan.slice;
    } else {
      ConvAlgorithms& conv = plan.convolutions[name];
      for (ConvAlgorithm* pass :
           {&conv.forward, &conv.backward_data, &conv.backward_weights}) {
        std::string algorithm;
        words >> algorithm;
        const auto parsed = AlgorithmOf(algorithm);
        known = known && parsed;
        *pass = parsed.value_or(ConvAlgorithm::kDirect);
      }
    }
    std::string rest;
    if (!words || !known || plan.slice < 0 || words >> rest) {
      throw Error(Concat("kernel plan, line ", number,
                         ": expected 'slice N' or a layer with three "
                         "algorithms (direct, winograd or tiles), found '",
                         line, "'"));
    }
  }
  return plan;
}

std::string KernelPlan::ToString() const {
  std::ostringstream text;
  text << "slice " << slice << '\n';
  for (const auto& [name, conv] : convolutions) {
    text << name << ' ' << Text(conv) << '\n';
  }
  return text.str();
}

}  // namespace alexnet::cpu
