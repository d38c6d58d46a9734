// SPDX-License-Identifier: MIT
#include "extras/picture_grid.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "alexnet/error.h"

namespace alexnet {
namespace {

Image Flat(int64_t width, int64_t height, uint8_t value) {
  return {width, height,
          std::vector<uint8_t>(static_cast<size_t>(3 * width * height), value)};
}

int64_t PixelsOf(const Image& image, uint8_t value) {
  return std::ranges::count(image.rgb, value) / 3;
}

TEST(Grid, ShowsEveryImageWhole) {
  const Image grid =
      Grid({Flat(100, 50, 10), Flat(100, 50, 20), Flat(100, 50, 30)}, 2);
  EXPECT_GT(grid.width, 200);
  EXPECT_LT(grid.width, 300);
  EXPECT_GT(grid.height, 100);
  for (const uint8_t value : std::vector<uint8_t>{10, 20, 30}) {
    EXPECT_EQ(PixelsOf(grid, value), 5000);
  }
}

TEST(Grid, EnlargesSmallImagesInWholePixels) {
  const Image grid = Grid({Flat(32, 32, 10)}, 8);
  EXPECT_EQ(PixelsOf(grid, 10), 96 * 96);
}

TEST(Grid, WritesCaptions) {
  const std::vector<Image> images(3, Flat(32, 32, 255));
  const Image plain = Grid(images, 3, {"", "", ""});
  EXPECT_EQ(PixelsOf(plain, 255), plain.width * plain.height);
  const Image written = Grid(images, 3, {"cat", "a # dog", "very, very long"});
  EXPECT_LT(PixelsOf(written, 255), plain.width * plain.height - 200);
  EXPECT_EQ(written.width, plain.width);
}

TEST(Grid, RefusesWhatDoesNotFitTogether) {
  EXPECT_THROW(Grid({}, 3), UsageError);
  EXPECT_THROW(Grid({Flat(2, 2, 0)}, 0), UsageError);
  EXPECT_THROW(Grid({Flat(2, 2, 0), Flat(3, 2, 0)}, 2), UsageError);
  EXPECT_THROW(Grid({Flat(2, 2, 0)}, 1, {"a", "b"}), UsageError);
}

}  // namespace
}  // namespace alexnet
