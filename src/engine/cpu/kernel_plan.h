// SPDX-License-Identifier: MIT
// Which algorithm each convolution uses, as text that travels in checkpoints:
// a resumed run must compute with the same kernels to give the same bits.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "engine/cpu/units.h"

namespace alexnet::cpu {

// "winograd direct winograd": forward, backward data, backward weights.
std::string Text(const ConvAlgorithms& algorithms);

struct KernelPlan {
  int64_t slice = 0;  // 0: not decided
  std::map<std::string, ConvAlgorithms, std::less<>> convolutions;

  // Direct convolution where the plan says nothing.
  ConvAlgorithms For(std::string_view layer) const;

  // "slice 32\nfeatures.0 direct direct direct\n…": forward, backward data,
  // backward weights. Throws Error naming the line that makes no sense.
  static KernelPlan Parse(const std::string& text);
  std::string ToString() const;
};

}  // namespace alexnet::cpu
