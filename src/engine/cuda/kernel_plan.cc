// SPDX-License-Identifier: MIT
#include "engine/cuda/kernel_plan.h"

#include <sstream>

#include "alexnet/error.h"

namespace alexnet::cuda {
namespace {

[[noreturn]] void ThrowLine(const std::string& line) {
  throw Error(Concat("kernel plan of the CUDA engine: line '", line,
                     "' makes no sense"));
}

}  // namespace

std::string KernelPlan::For(const std::string& layer,
                            const std::string& pass) const {
  const auto found = choices.find({layer, pass});
  return found == choices.end() ? "" : found->second;
}

KernelPlan KernelPlan::Parse(const std::string& text) {
  KernelPlan plan;
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line)) return plan;
  std::string word;
  std::istringstream head(line);
  if (!(head >> word) || word != "cuda" || !(head >> word) || word != "slice" ||
      !(head >> plan.slice) || plan.slice < 1 || head >> word) {
    ThrowLine(line);
  }
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string layer;
    std::string pass;
    std::string choice;
    if (!(words >> layer >> pass >> choice) || words >> word ||
        (pass != "forward" && pass != "data" && pass != "weights")) {
      ThrowLine(line);
    }
    plan.choices[{layer, pass}] = choice;
  }
  return plan;
}

std::string KernelPlan::ToString() const {
  std::string text = Concat("cuda slice ", slice, "\n");
  for (const auto& [key, choice] : choices) {
    text += Concat(key.first, " ", key.second, " ", choice, "\n");
  }
  return text;
}

}  // namespace alexnet::cuda
