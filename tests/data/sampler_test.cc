// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "alexnet/dataset.h"
#include "alexnet/error.h"
#include "core/fnv1a.h"
#include "core/golden_file.h"

namespace alexnet {
namespace {

TEST(EpochOrder, ShuffledEqualsPyTorchsDistributedSampler) {
  for (auto& line : testing::GoldenLines("epoch_order_torch.txt")) {
    int64_t n = 0;
    uint64_t seed = 0;
    int64_t epoch = 0;
    uint64_t hash = 0;
    line >> n >> seed >> epoch >> std::hex >> hash >> std::dec;
    SCOPED_TRACE(line.str());
    const auto order = EpochOrder(n, /*shuffle=*/true, seed, epoch);
    ASSERT_EQ(std::ssize(order), n);
    EXPECT_EQ(testing::Fnv1aOf(order), hash);
    int64_t first = 0;
    for (size_t i = 0; line >> first; ++i) EXPECT_EQ(order[i], first);
  }
}

TEST(EpochOrder, UnshuffledIsFileOrder) {
  EXPECT_THAT(EpochOrder(4, /*shuffle=*/false, 5, 6),
              ::testing::ElementsAre(0, 1, 2, 3));
  EXPECT_TRUE(EpochOrder(0, /*shuffle=*/false, 0, 0).empty());
  EXPECT_TRUE(EpochOrder(0, /*shuffle=*/true, 0, 0).empty());
}

TEST(EpochOrder, RefusesNegativeNumbers) {
  EXPECT_THROW(EpochOrder(-1, true, 0, 0), UsageError);
  EXPECT_THROW(EpochOrder(1, true, 0, -1), UsageError);
}

TEST(SplitByFraction, IsAnAscendingPartition) {
  for (const int64_t n : {0, 1, 2, 10, 1001}) {
    for (const double fraction : {0.0, 0.1, 0.25, 0.4}) {
      const auto split = SplitByFraction(n, fraction, 3);
      EXPECT_EQ(std::ssize(split.validation),
                std::llround(fraction * static_cast<double>(n)));
      EXPECT_TRUE(std::ranges::is_sorted(split.train));
      EXPECT_TRUE(std::ranges::is_sorted(split.validation));
      std::vector<int64_t> all(static_cast<size_t>(n));
      std::iota(all.begin(), all.end(), 0);
      std::vector<int64_t> both;
      std::ranges::merge(split.train, split.validation,
                         std::back_inserter(both));
      EXPECT_EQ(both, all);
    }
  }
}

TEST(SplitByFraction, DependsOnTheSeedAlone) {
  const auto split = SplitByFraction(1000, 0.1, 3);
  EXPECT_EQ(SplitByFraction(1000, 0.1, 3).validation, split.validation);
  EXPECT_NE(SplitByFraction(1000, 0.1, 4).validation, split.validation);
}

// Held-out images are spread evenly: a tenth of each tenth, within five
// standard deviations.
TEST(SplitByFraction, ChoosesEvenly) {
  const auto split = SplitByFraction(50'000, 0.1, 0);
  std::vector<int> count(10);
  for (const int64_t i : split.validation) {
    ++count[static_cast<size_t>(i / 5000)];
  }
  for (const int c : count) EXPECT_NEAR(c, 500, 5 * 21);
}

TEST(SplitByFraction, RefusesFractionsThatMakeNoSense) {
  for (const double fraction : {-0.1, 1.0, 2.0, std::nan("")}) {
    EXPECT_THROW(SplitByFraction(10, fraction, 0), UsageError) << fraction;
  }
  EXPECT_THROW(SplitByFraction(2, 0.9, 0), UsageError);
}

}  // namespace
}  // namespace alexnet
