// SPDX-License-Identifier: MIT
// Pillow's bilinear resize on bytes, reproduced exactly (Resample.c): integer
// arithmetic with 22 fractional bits, the horizontal pass first and rounded to
// bytes, antialiased when shrinking; a pass whose size does not change is
// skipped.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "alexnet/model.h"

namespace alexnet {

// One axis: output i is clip8((2²¹ + Σ_j weights[i·taps + j] ·
// input[first[i] + j]) >> 22) with j < count[i]; the weights beyond are zero.
struct ResizeAxis {
  int64_t in = 0;
  int64_t out = 0;
  int64_t taps = 0;  // most weights of any output
  std::vector<int32_t> first;
  std::vector<int32_t> count;
  std::vector<int32_t> weights;  // out × taps

  ResizeAxis() = default;
  ResizeAxis(int64_t in, int64_t out);
};

struct ResizePlan {
  ResizeAxis horizontal;
  ResizeAxis vertical;

  ResizePlan() = default;
  ResizePlan(Size2 in, Size2 out)
      : horizontal(in.width, out.width), vertical(in.height, out.height) {}
  // Bytes of scratch that ResizePlane needs.
  int64_t scratch_bytes() const { return vertical.in * horizontal.out; }
};

// One plane, row by row. `scratch` has plan.scratch_bytes().
void ResizePlane(const ResizePlan& plan, std::span<const uint8_t> in,
                 std::span<uint8_t> scratch, std::span<uint8_t> out);

}  // namespace alexnet
