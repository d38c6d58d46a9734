// SPDX-License-Identifier: MIT
#include "engine/cpu/kernel_plan.h"

#include <sstream>

#include "alexnet/error.h"

namespace alexnet::cpu {
namespace {

constexpr char kDirect[] = "direct";
constexpr char kWinograd[] = "winograd";

const char* NameOf(ConvAlgorithm algorithm) {
  return algorithm == ConvAlgorithm::kWinograd ? kWinograd : kDirect;
}

}  // namespace

std::string Text(const ConvAlgorithms& algorithms) {
  return Concat(NameOf(algorithms.forward), ' ',
                NameOf(algorithms.backward_data), ' ',
                NameOf(algorithms.backward_weights));
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
        known = known && (algorithm == kDirect || algorithm == kWinograd);
        *pass = algorithm == kWinograd ? ConvAlgorithm::kWinograd
                                       : ConvAlgorithm::kDirect;
      }
    }
    std::string rest;
    if (!words || !known || plan.slice < 0 || words >> rest) {
      throw Error(Concat("kernel plan, line ", number,
                         ": expected 'slice N' or a layer with three "
                         "algorithms (direct or winograd), found '",
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
