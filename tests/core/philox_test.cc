// SPDX-License-Identifier: MIT
#include "core/philox.h"

#include <gtest/gtest.h>

namespace alexnet {
namespace {

// The known answers that the authors publish with Random123.
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(Philox({0, 0, 0, 0}, 0),
            (Philox4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(Philox({ones, ones, ones, ones}, 0xffffffffffffffff),
            (Philox4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                   0x299f31d0a4093822),
            (Philox4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, DropsTheAskedShare) {
  EXPECT_EQ(DropoutThreshold(0), 0U);
  EXPECT_EQ(DropoutThreshold(0.5), 0x80000000U);
  EXPECT_EQ(DropoutThreshold(0.25), 0x40000000U);
  int dropped = 0;
  constexpr int kElements = 100'000;
  for (int e = 0; e < kElements; ++e) {
    const Philox4 words = Philox(DropoutCounter(e, 3, 17, 2), 42);
    dropped += words[static_cast<size_t>(e % 4)] < DropoutThreshold(0.3);
  }
  // Five standard deviations of a binomial.
  EXPECT_NEAR(dropped, 0.3 * kElements, 5 * 145);
}

TEST(Philox, FourElementsShareACounter) {
  EXPECT_EQ(DropoutCounter(7, 2, 5, 1), (Philox4{1, 2, 5, 1}));
  EXPECT_EQ(DropoutCounter(8, 2, 5, 1), (Philox4{2, 2, 5, 1}));
}

}  // namespace
}  // namespace alexnet
