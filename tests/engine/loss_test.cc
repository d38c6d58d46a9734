// SPDX-License-Identifier: MIT
// Cross-entropy against PyTorch's, and at the ends of the range.
#include "engine/loss.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/golden.h"
#include "engine/hashed_values.h"
#include "engine/relative_error.h"

namespace alexnet {
namespace {

constexpr size_t kImages = 5;
constexpr size_t kClasses = 7;

TEST(Loss, EqualsPyTorchs) {
  const nlohmann::json golden = testing_support::LoadGolden("loss");
  const std::vector<int32_t> labels = golden["labels"];
  const std::vector<float> targets = golden["targets"];
  std::vector<float> logits = testing_support::Values(40, kImages * kClasses);
  for (float& z : logits) z *= 20;
  for (const auto& [kind, smoothing] :
       {std::pair<std::string, double>{"class", 0},
        {"probability", 0},
        {"class_smoothed", 0.1},
        {"probability_smoothed", 0.3}}) {
    std::vector<double> gradient(logits.size());
    double loss = 0;
    for (size_t n = 0; n < kImages; ++n) {
      const std::vector<double> z(logits.begin() + long(n * kClasses),
                                  logits.begin() + long((n + 1) * kClasses));
      const auto row = std::span(gradient).subspan(n * kClasses, kClasses);
      const auto target =
          std::span<const float>(targets).subspan(n * kClasses, kClasses);
      const std::span<const double> row_logits = z;
      loss +=
          kind.starts_with("class")
              ? SoftmaxCrossEntropy(row, row_logits, labels[n], 0.2, smoothing)
              : SoftmaxCrossEntropy(row, row_logits, target, 0.2, smoothing);
    }
    const double expected = golden[kind]["loss"];
    EXPECT_NEAR(loss / 5, expected, 1e-12 * expected) << kind;
    const std::vector<double> rows = golden[kind]["gradient"];
    EXPECT_LE(testing_support::RelativeError(gradient, rows), 1e-12) << kind;
  }
}

TEST(Loss, HugeLogitsDoNotOverflow) {
  const std::vector<float> logits = {3e38F, -3e38F};
  std::vector<float> gradient(2);
  const std::span<const float> z = logits;
  EXPECT_EQ(SoftmaxCrossEntropy(std::span(gradient), z, 0, 1), 0);
  EXPECT_EQ(gradient, (std::vector<float>{0, 0}));
  EXPECT_DOUBLE_EQ(SoftmaxCrossEntropy(std::span(gradient), z, 1, 1),
                   2 * static_cast<double>(3e38F));
  EXPECT_EQ(gradient, (std::vector<float>{1, -1}));
}

TEST(Loss, GradientIsOptional) {
  const std::vector<float> logits = {1, 1};
  EXPECT_DOUBLE_EQ(SoftmaxCrossEntropy(std::span<float>(),
                                       std::span<const float>(logits), 1, 1),
                   std::log(2.0));
}

TEST(ArgMax, FirstLargestWinsAndNaNOverAll) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(ArgMax(std::span<const float>(std::vector<float>{1, 3, 3})), 1);
  EXPECT_EQ(ArgMax(std::span<const float>(std::vector<float>{1, nan, 3})), 1);
  EXPECT_EQ(ArgMax(std::span<const float>(std::vector<float>{nan, nan})), 0);
}

}  // namespace
}  // namespace alexnet
