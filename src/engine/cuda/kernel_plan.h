// SPDX-License-Identifier: MIT
// Which kernel each pass of each convolution uses, as text that travels in
// checkpoints: a resumed run must compute with the same kernels to give the
// same bits.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace alexnet::cuda {

struct KernelPlan {
  int64_t slice = 0;  // 0: not decided
  // By layer and pass ("forward", "data", "weights"): "direct", or what
  // ConvPass::text() says of a cuDNN plan.
  std::map<std::pair<std::string, std::string>, std::string> choices;

  // Empty where the plan says nothing.
  std::string For(const std::string& layer, const std::string& pass) const;

  // "cuda slice 128\nfeatures.0 forward 47:2=1\n…". Empty text is an empty
  // plan; Error naming the line that makes no sense.
  static KernelPlan Parse(const std::string& text);
  std::string ToString() const;
};

}  // namespace alexnet::cuda
