// SPDX-License-Identifier: MIT
#include "cli/suggest.h"

#include <gtest/gtest.h>

#include "cli/output.h"

namespace alexnet::cli {
namespace {

TEST(EditDistance, CountsSlips) {
  EXPECT_EQ(EditDistance("", ""), 0U);
  EXPECT_EQ(EditDistance("", "abc"), 3U);
  EXPECT_EQ(EditDistance("train", "train"), 0U);
  EXPECT_EQ(EditDistance("tain", "train"), 1U);
  EXPECT_EQ(EditDistance("ttrain", "train"), 1U);
  EXPECT_EQ(EditDistance("trein", "train"), 1U);
  EXPECT_EQ(EditDistance("trian", "train"), 1U);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3U);
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> options = {"--epochs", "--eps", "--lr",
                                            "--batch-size"};
  EXPECT_EQ(Nearest("--epoch", options), "--epochs");
  EXPECT_EQ(Nearest("--batchsize", options), "--batch-size");
  EXPECT_EQ(Nearest("--batch_size", options), "--batch-size");
  EXPECT_EQ(Nearest("--colour", options), "");
  EXPECT_EQ(Nearest("--epoch", {}), "");
}

TEST(Output, WritesNumbersForPeople) {
  EXPECT_EQ(Thousands(0), "0");
  EXPECT_EQ(Thousands(999), "999");
  EXPECT_EQ(Thousands(1000), "1,000");
  EXPECT_EQ(Thousands(58322314), "58,322,314");
  EXPECT_EQ(Thousands(-123456), "-123,456");
  EXPECT_EQ(Bytes(999), "999 B");
  EXPECT_EQ(Bytes(233289256), "233.3 MB");
  EXPECT_EQ(Duration(59.4), "59 s");
  EXPECT_EQ(Duration(61), "1 min 01 s");
  EXPECT_EQ(Duration(7500), "2 h 05 min");
  EXPECT_EQ(AsPython(48.92), "48.92");
  EXPECT_EQ(AsPython(10), "10.0");
}

}  // namespace
}  // namespace alexnet::cli
