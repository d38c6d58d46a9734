// SPDX-License-Identifier: MIT
#include "data/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/image_block.h"

namespace alexnet {
namespace {

// Colours c + s·a·(3, 4, 0)/5 + t·b·(0, 0, 1) for s, t = ±1, whose covariance
// is diagonal in these directions: variances a² and b².
TEST(Statistics, FindMeanDeviationAndComponents) {
  constexpr int kA = 50;
  constexpr int kB = 20;
  ImageBlock block{"set", {3, 1, 4}, {}, {0, 1, 1}, {"x", "y"}};
  for (int image = 0; image < 3; ++image) {
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < 4; ++i) {
        const int s = i % 2 == 0 ? 1 : -1;
        const int t = i < 2 ? 1 : -1;
        const int value = c == 0   ? 100 + s * kA * 3 / 5
                          : c == 1 ? 120 + s * kA * 4 / 5
                                   : 140 + t * kB;
        block.pixels.push_back(static_cast<uint8_t>(value));
      }
    }
  }
  const auto images = MakeDataset(std::move(block));
  for (const int64_t threads : {1, 3}) {
    const DataStatistics found = MeasureData(*images, 0, threads);
    EXPECT_EQ(found.images, 3);
    EXPECT_EQ(found.class_counts, (std::vector<int64_t>{1, 2}));
    EXPECT_NEAR(found.mean[0] * 255, 100, 1e-9);
    EXPECT_NEAR(found.mean[2] * 255, 140, 1e-9);
    EXPECT_NEAR(found.std[0] * 255, 30, 1e-9);
    EXPECT_NEAR(found.std[1] * 255, 40, 1e-9);
    EXPECT_NEAR(found.std[2] * 255, 20, 1e-9);
    EXPECT_NEAR(std::sqrt(found.eigenvalues[0]) * 255, kA, 1e-6);
    EXPECT_NEAR(std::sqrt(found.eigenvalues[1]) * 255, kB, 1e-6);
    EXPECT_NEAR(found.eigenvalues[2], 0, 1e-9);
    EXPECT_NEAR(found.eigenvectors[0][0], 0.6, 1e-9);
    EXPECT_NEAR(found.eigenvectors[0][1], 0.8, 1e-9);
    EXPECT_NEAR(found.eigenvectors[1][2], 1, 1e-9);
  }
  EXPECT_EQ(MeasureData(*images, 2, 1).images, 2);
}

}  // namespace
}  // namespace alexnet
