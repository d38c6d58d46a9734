// SPDX-License-Identifier: MIT
// Pillow's resize from interleaved RGB, as decoders write it, to planes, as
// data sets have them; of the result only what is asked for is computed.
#pragma once

#include <cstdint>
#include <span>

#include "core/resize.h"

namespace alexnet {

// The pixels of a picture that are there: `data` is pixel (left, top).
struct RgbPixels {
  const uint8_t* data = nullptr;
  int64_t row_bytes = 0;
  int64_t left = 0;
  int64_t top = 0;
};

// The part of the resized picture that is wanted.
struct RgbWindow {
  int64_t left = 0;
  int64_t top = 0;
  Size2 size;
};

// The first and the end of the inputs that outputs [begin, begin + count)
// depend on.
struct InputRange {
  int64_t first = 0;
  int64_t end = 0;
};
InputRange InputsOf(const ResizeAxis& axis, int64_t begin, int64_t count);

// `in` has at least the pixels that the window depends on; `planes` takes
// 3 × window.size.height × window.size.width.
void ResizeRgb(const ResizePlan& plan, const RgbPixels& in,
               const RgbWindow& window, std::span<uint8_t> planes);

}  // namespace alexnet
