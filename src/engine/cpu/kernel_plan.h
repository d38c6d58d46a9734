// SPDX-License-Identifier: MIT
// Which algorithm each convolution uses, as text that travels in checkpoints:
// a resumed run must compute with the same kernels to give the same bits.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "core/isa.h"
#include "engine/cpu/units.h"

namespace alexnet::cpu {

// "winograd direct winograd": forward, backward data, backward weights.
std::string Text(const ConvAlgorithms& algorithms);

// What a convolution took with each choice, in milliseconds, as `bench --tune`
// measures them: a line of the checked-in table (conv_times.h).
struct ConvTimes {
  Isa isa;
  Shape3 input;
  int64_t out_channels;
  int64_t kernel;  // height and width
  int64_t stride;
  // direct, Winograd
  std::array<double, 2> forward;
  // Data and weights together: both direct, both Winograd, only the weights',
  // only the data's by Winograd; 0 where there is no such choice.
  std::array<double, 4> backward;
};

// Winograd for all three passes, or what the table shows to be clearly faster
// for this convolution in float32; whether it fits is for the caller to see. In
// bfloat16 Winograd was the fastest for every convolution and pass without AMX;
// with AMX, which does sixteen times the arithmetic of float32, tiles are.
ConvAlgorithms DefaultAlgorithms(const Conv2dSpec& spec, const Shape3& input,
                                 Isa isa, Precision precision);
ConvAlgorithms DefaultAlgorithms(const Conv2dSpec& spec, const Shape3& input,
                                 Isa isa, std::span<const ConvTimes> table);

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
