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
#include "core/host_device.h"

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

// The same by pointers, as device code takes it.
struct ResizeTable {
  int32_t in = 0;
  int32_t out = 0;
  int32_t taps = 0;
  const int32_t* first = nullptr;
  const int32_t* count = nullptr;
  const int32_t* weights = nullptr;
};

inline constexpr int kResizeFractionBits = 22;

// Weights that sum to one and bytes cannot leave the range 0 … 255 by more
// than the rounding of the weights, but that much they can.
ALEXNET_HOST_DEVICE uint8_t ResizeClip8(int32_t sum) {
  const int32_t value = sum >> kResizeFractionBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// Output i of an axis for n lines at once; at(j, k) gives input j of line k.
template <int n, class At>
ALEXNET_HOST_DEVICE void ResizedBytes(const ResizeTable& axis, int32_t i,
                                      const At& at, uint8_t (&out)[n]) {
  if (axis.in == axis.out) {
    for (int k = 0; k < n; ++k) out[k] = at(i, k);
    return;
  }
  const int32_t* weights = axis.weights + int64_t{i} * axis.taps;
  int32_t sum[n];
  for (int k = 0; k < n; ++k) sum[k] = int32_t{1} << (kResizeFractionBits - 1);
  ALEXNET_NO_UNROLL  // two or three times, as a rule
      for (int32_t j = 0; j < axis.count[i]; ++j) {
    for (int k = 0; k < n; ++k) sum[k] += weights[j] * at(axis.first[i] + j, k);
  }
  for (int k = 0; k < n; ++k) out[k] = ResizeClip8(sum[k]);
}

template <class At>
ALEXNET_HOST_DEVICE uint8_t ResizedByte(const ResizeTable& axis, int32_t i,
                                        const At& at) {
  uint8_t out[1] = {};
  ResizedBytes(
      axis, i, [&](int32_t j, int) { return at(j); }, out);
  return out[0];
}

// One pixel of a resized plane, without a pass over the others.
ALEXNET_HOST_DEVICE uint8_t ResizedPixel(const ResizeTable& across,
                                         const ResizeTable& down,
                                         const uint8_t* plane, int32_t y,
                                         int32_t x) {
  return ResizedByte(down, y, [&](int32_t row) {
    const uint8_t* line = plane + int64_t{row} * across.in;
    return ResizedByte(across, x, [&](int32_t at) { return line[at]; });
  });
}

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
