// SPDX-License-Identifier: MIT
#include "core/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "alexnet/error.h"
#include "core/fnv1a.h"
#include "core/golden_file.h"

namespace alexnet {
namespace {

// The two test pictures of tools/make_data_goldens.py.
uint8_t SmoothPixel(int64_t x, int64_t y, int64_t c) {
  return static_cast<uint8_t>(37 * x + 101 * y + 59 * c + 3 * x * y);
}
uint8_t RoughPixel(int64_t x, int64_t y, int64_t c) {
  const uint64_t mixed = static_cast<uint64_t>((x * 73856093) ^ (y * 19349663) ^
                                               ((c + 1) * 83492791));
  return static_cast<uint8_t>((mixed * 2654435761U) >> 13);
}

std::vector<uint8_t> Plane(const std::string& pattern, Size2 size, int64_t c) {
  std::vector<uint8_t> plane;
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      plane.push_back(pattern == "smooth" ? SmoothPixel(x, y, c)
                                          : RoughPixel(x, y, c));
    }
  }
  return plane;
}

std::vector<uint8_t> Resized(const std::vector<uint8_t>& in, Size2 from,
                             Size2 to) {
  const ResizePlan plan(from, to);
  std::vector<uint8_t> scratch(static_cast<size_t>(plan.scratch_bytes()));
  std::vector<uint8_t> out(static_cast<size_t>(to.height * to.width));
  ResizePlane(plan, in, scratch, out);
  return out;
}

TEST(Resize, EqualsPillow) {
  for (auto& line : testing::GoldenLines("resize_pillow.txt")) {
    std::string pattern;
    Size2 from;
    Size2 to;
    int64_t channel = 0;
    uint64_t hash = 0;
    line >> pattern >> from.height >> from.width >> to.height >> to.width >>
        channel >> std::hex >> hash;
    EXPECT_EQ(
        testing::Fnv1aOf(Resized(Plane(pattern, from, channel), from, to)),
        hash)
        << line.str();
  }
}

TEST(Resize, KeepsAFlatPictureFlat) {
  for (const int value : {0, 1, 127, 254, 255}) {
    const std::vector<uint8_t> in(35, static_cast<uint8_t>(value));
    const auto out = Resized(in, {5, 7}, {227, 3});
    EXPECT_EQ(std::ranges::count(out, value), std::ssize(out)) << value;
  }
}

// What an engine that makes its own passes relies on.
TEST(Resize, AxisStaysInsideAndPadsWithZeros) {
  for (int64_t in = 1; in <= 40; ++in) {
    for (int64_t out = 1; out <= 40; ++out) {
      SCOPED_TRACE(Concat(in, " to ", out));
      const ResizeAxis axis(in, out);
      ASSERT_EQ(std::ssize(axis.weights), out * axis.taps);
      for (size_t i = 0; i < static_cast<size_t>(out); ++i) {
        ASSERT_GE(axis.first[i], 0);
        ASSERT_GE(axis.count[i], 1);
        ASSERT_LE(axis.first[i] + axis.count[i], in);
        const auto row = axis.weights.begin() + std::ssize(axis.weights) / out *
                                                    static_cast<int64_t>(i);
        ASSERT_EQ(std::count(row + axis.count[i], row + axis.taps, 0),
                  axis.taps - axis.count[i]);
        ASSERT_NEAR(std::accumulate(row, row + axis.taps, 0), 1 << 22,
                    static_cast<double>(axis.taps));
      }
    }
  }
}

TEST(Resize, RunningASkippedPassChangesNothing) {
  const ResizeAxis axis(9, 9);
  for (size_t i = 0; i < 9; ++i) {
    const auto at = i * static_cast<size_t>(axis.taps);
    const size_t self = i - static_cast<size_t>(axis.first[i]);
    EXPECT_EQ(axis.weights[at + self], 1 << 22);
  }
}

TEST(Resize, RefusesSizesThatAreNone) {
  EXPECT_THROW(ResizeAxis(0, 5), UsageError);
  EXPECT_THROW(ResizeAxis(5, 0), UsageError);
  EXPECT_THROW(ResizeAxis(-1, 5), UsageError);
  EXPECT_THROW(ResizeAxis(5, int64_t{1} << 31), UsageError);
}

}  // namespace
}  // namespace alexnet
