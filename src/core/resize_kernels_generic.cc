// SPDX-License-Identifier: MIT
#include "core/resize_kernels.h"

namespace alexnet::generic {
namespace {
#include "core/resize_kernels-inl.h"

void Pixel(const int16_t* weights, int64_t steps, const uint8_t* in,
           uint8_t* out) {
  int32_t red = kHalf;
  int32_t green = kHalf;
  int32_t blue = kHalf;
  for (int64_t s = 0; s < steps; ++s, weights += 8) {
    for (int64_t j = 0; j < kRowStepPixels; ++j, in += 3) {
      const int32_t weight =
          weights[j] * (1 << kLowerBits) + weights[kRowStepPixels + j];
      red += weight * in[0];
      green += weight * in[1];
      blue += weight * in[2];
    }
  }
  out[0] = Clip(red >> kFractionBits);
  out[1] = Clip(green >> kFractionBits);
  out[2] = Clip(blue >> kFractionBits);
  out[3] = 0;
}

void Rows(const RowPass& pass, const uint8_t* const in[2],
          uint8_t* const out[2]) {
  for (int row = 0; row < 2; ++row) {
    for (int64_t x = 0; x < pass.outputs; ++x) {
      Pixel(pass.weights + x * pass.steps * 8, pass.steps,
            in[row] + 3 * int64_t{pass.first[x]}, out[row] + 4 * x);
    }
  }
}

void Column(const int32_t* weights, int64_t taps, const uint8_t* rows,
            int64_t width, uint8_t* out) {
  for (int64_t x = 0; x < width; x += kColumnBytes) {
    int32_t sums[kColumnBytes];
    for (int32_t& sum : sums) sum = kHalf;
    for (int64_t j = 0; j < taps; ++j) {
      const uint8_t* row = rows + j * width + x;
      for (int64_t i = 0; i < kColumnBytes; ++i) sums[i] += weights[j] * row[i];
    }
    for (int64_t i = 0; i < kColumnBytes; ++i) {
      out[x + i] = Clip(sums[i] >> kFractionBits);
    }
  }
}

}  // namespace

const ResizeKernels kResizeKernels = {
    .rows = Rows, .column = Column, .split = Split};

}  // namespace alexnet::generic
