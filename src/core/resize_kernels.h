// SPDX-License-Identifier: MIT
// The passes of ResizeRgb, once for each instruction set.
#pragma once

#include <cstdint>

namespace alexnet {

// Pixels that one step of a row's pass takes, and what it may read of them.
inline constexpr int64_t kRowStepPixels = 4;
inline constexpr int64_t kRowStepBytes = 16;
// Outputs come in groups of so many.
inline constexpr int64_t kRowOutputs = 4;
// Bytes that the columns' pass takes at once: those of kRowOutputs.
inline constexpr int64_t kColumnBytes = 4 * kRowOutputs;

// A weight of 22 bits is cut into two factors for multiplications of 16 bits:
// upper · 2^kLowerBits + lower. Sums of either part may wrap around; the whole
// does not, and so comes out exact.
inline constexpr int kLowerBits = 11;

// How a row becomes `outputs` pixels.
struct RowPass {
  const int32_t* first = nullptr;  // outputs: the first pixel that counts
  // outputs × steps × 8: the upper parts of the weights of four pixels, then
  // the lower ones.
  const int16_t* weights = nullptr;
  int64_t outputs = 0;  // a multiple of kRowOutputs
  int64_t steps = 0;
};

struct ResizeKernels {
  // Two rows of interleaved RGB become two of `outputs` × 4 bytes, of which
  // each fourth is of no meaning. Of the rows the bytes from 3 · first[x] +
  // 12 · step on are read, kRowStepBytes of them.
  void (*rows)(const RowPass& pass, const uint8_t* const in[2],
               uint8_t* const out[2]);
  // One row of `width` bytes, a multiple of kColumnBytes, from `taps` rows
  // below each other.
  void (*column)(const int32_t* weights, int64_t taps, const uint8_t* rows,
                 int64_t width, uint8_t* out);
  // `width` pixels of four bytes to three planes.
  void (*split)(const uint8_t* pixels, int64_t width, uint8_t* const planes[3]);
};

namespace generic {
extern const ResizeKernels kResizeKernels;
}
namespace avx2 {
extern const ResizeKernels kResizeKernels;
}

}  // namespace alexnet
