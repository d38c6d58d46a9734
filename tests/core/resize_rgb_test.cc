// SPDX-License-Identifier: MIT
// Against ResizePlane, which the goldens tie to Pillow. The other instruction
// sets run as tests of their own (CMakeLists.txt).
#include "core/resize_rgb.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "alexnet/error.h"

namespace alexnet {
namespace {

std::vector<uint8_t> RandomBytes(int64_t count) {
  std::mt19937 generator(7);
  std::vector<uint8_t> bytes(static_cast<size_t>(count));
  for (uint8_t& byte : bytes) {
    // Mostly the ends of the range, where sums leave it most easily.
    const auto word = static_cast<uint32_t>(generator());
    byte =
        static_cast<uint8_t>(word % 3 == 0 ? word >> 8 : 255 * (word % 3 - 1));
  }
  return bytes;
}

std::vector<uint8_t> ByPlanes(const ResizePlan& plan,
                              const std::vector<uint8_t>& rgb) {
  const size_t in_size = rgb.size() / 3;
  const auto out_size =
      static_cast<size_t>(plan.vertical.out * plan.horizontal.out);
  std::vector<uint8_t> out(3 * out_size);
  std::vector<uint8_t> scratch(static_cast<size_t>(plan.scratch_bytes()));
  for (size_t c = 0; c < 3; ++c) {
    std::vector<uint8_t> plane(in_size);
    for (size_t i = 0; i < in_size; ++i) plane[i] = rgb[3 * i + c];
    ResizePlane(plan, plane, scratch,
                std::span(out).subspan(c * out_size, out_size));
  }
  return out;
}

TEST(ResizeRgb, EqualsResizePlane) {
  const Size2 sizes[] = {{1, 1},  {1, 9},   {2, 3},     {5, 4},
                         {33, 7}, {16, 64}, {227, 227}, {375, 500}};
  for (const Size2 from : sizes) {
    const auto rgb = RandomBytes(3 * from.height * from.width);
    for (const Size2 to : sizes) {
      SCOPED_TRACE(Concat(from.height, "x", from.width, " to ", to.height, "x",
                          to.width));
      const ResizePlan plan(from, to);
      std::vector<uint8_t> out(static_cast<size_t>(3 * to.height * to.width));
      ResizeRgb(plan, {.data = rgb.data(), .row_bytes = 3 * from.width},
                {.size = to}, out);
      ASSERT_EQ(out, ByPlanes(plan, rgb));
    }
  }
}

TEST(ResizeRgb, OfAWindowNeedsNoMorePixelsThanItsInputs) {
  const Size2 from = {40, 61};
  const ResizePlan plan(from, {23, 90});
  const auto rgb = RandomBytes(3 * from.height * from.width);
  const auto whole = ByPlanes(plan, rgb);
  const RgbWindow window = {.left = 71, .top = 5, .size = {9, 19}};
  const InputRange x = InputsOf(plan.horizontal, window.left, 19);
  const InputRange y = InputsOf(plan.vertical, window.top, 9);
  // An allocation of their own, so that a sanitizer sees a read beyond them.
  std::vector<uint8_t> part;
  for (int64_t row = y.first; row < y.end; ++row) {
    const auto* begin = rgb.data() + 3 * row * from.width;
    part.insert(part.end(), begin + 3 * x.first, begin + 3 * x.end);
  }
  std::vector<uint8_t> out(3 * 9 * 19);
  ResizeRgb(plan,
            {.data = part.data(),
             .row_bytes = 3 * (x.end - x.first),
             .left = x.first,
             .top = y.first},
            window, out);
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t row = 0; row < 9; ++row) {
      for (int64_t column = 0; column < 19; ++column) {
        ASSERT_EQ(
            out[static_cast<size_t>((c * 9 + row) * 19 + column)],
            whole[static_cast<size_t>((c * 23 + 5 + row) * 90 + 71 + column)]);
      }
    }
  }
}

}  // namespace
}  // namespace alexnet
