// SPDX-License-Identifier: MIT
#include "extras/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "extras/label_text.h"

namespace alexnet {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;

TEST(Ticks, AreRoundAndInside) {
  EXPECT_THAT(Ticks(0, 100, 5), ElementsAre(0, 20, 40, 60, 80, 100));
  EXPECT_THAT(Ticks(0.3, 2.1, 4),
              ElementsAre(DoubleEq(0.5), DoubleEq(1), DoubleEq(1.5), 2));
  EXPECT_THAT(Ticks(-1, 1, 4), ElementsAre(-1, -0.5, 0, 0.5, 1));
  EXPECT_THAT(Ticks(0, 3, 9, 1), ElementsAre(0, 1, 2, 3));
}

TEST(Ticks, AreFew) {
  for (double high = 1e-6; high < 1e12; high *= 1.7) {
    const auto ticks = Ticks(0, high, 9);
    EXPECT_GE(ticks.size(), 3U) << high;
    EXPECT_LE(ticks.size(), 10U) << high;
  }
}

TEST(TickText, IsShort) {
  EXPECT_EQ(TickText(0, 0.5), "0.0");
  EXPECT_EQ(TickText(2.5, 0.5), "2.5");
  EXPECT_EQ(TickText(0.02, 0.01), "0.02");
  EXPECT_EQ(TickText(0.30000000000000004, 0.1), "0.3");
  EXPECT_EQ(TickText(40000, 20000), "40,000");
  EXPECT_EQ(TickText(5e20, 1e20), "5e+20");
}

TEST(EnsureRange, WidensWhatIsTooNarrow) {
  for (const auto& [low, high] :
       {std::pair{0.0, 0.0}, {2.3, 2.3}, {-5.0, -5.0}, {1.0, 1.0 + 1e-12}}) {
    double a = low;
    double b = high;
    EnsureRange(a, b);
    EXPECT_LT(a, low);
    EXPECT_GT(b, high);
  }
  double a = 1;
  double b = 2;
  EnsureRange(a, b);
  EXPECT_EQ(a, 1);
  EXPECT_EQ(b, 2);
}

TEST(Grouped, SetsCommas) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
  EXPECT_EQ(Grouped(1234567), "1,234,567");
  EXPECT_EQ(Grouped(-123), "-123");
  EXPECT_EQ(Grouped(-123456), "-123,456");
}

TEST(Shortened, CountsCharactersAndNotBytes) {
  EXPECT_EQ(Shortened("abc", 3), "abc");
  EXPECT_EQ(Shortened("abcd", 3), "ab…");
  EXPECT_EQ(Shortened("äöü", 3), "äöü");
  EXPECT_EQ(Shortened("äöüß", 3), "äö…");
}

}  // namespace
}  // namespace alexnet
