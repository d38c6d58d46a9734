// SPDX-License-Identifier: MIT
// The two passes of ResizeRgb, once for each instruction set.
#pragma once

#include <cstdint>

namespace alexnet {

// How a row becomes `outputs` pixels.
struct RowPass {
  const int32_t* first = nullptr;  // outputs: the first pixel that counts
  // outputs × steps × 8: for each two pixels their weights, each four times,
  // as the four bytes of a pixel in the kernel are all multiplied by it.
  const int32_t* weights = nullptr;
  int64_t outputs = 0;
  int64_t steps = 0;
};

struct ResizeKernels {
  // `rgb`: `pixels` × 3 bytes. `wide` has room for pixels + 2 × 4 bytes;
  // `out` takes three planes of pass.outputs bytes.
  void (*row)(const RowPass& pass, const uint8_t* rgb, int64_t pixels,
              uint8_t* wide, uint8_t* out);
  // One row of `width` bytes from `taps` rows below each other.
  void (*column)(const int32_t* weights, int64_t taps, const uint8_t* rows,
                 int64_t width, int32_t* sums, uint8_t* out);
};

namespace generic {
extern const ResizeKernels kResizeKernels;
}
namespace avx2 {
extern const ResizeKernels kResizeKernels;
}

}  // namespace alexnet
