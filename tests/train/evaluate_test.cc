// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "alexnet/train.h"
#include "train/fake_engine.h"
#include "train/tiny_images.h"

namespace alexnet {
namespace {

// Gives the logits of image i as written down.
class Scripted : public FakeEngine {
 public:
  explicit Scripted(std::vector<std::vector<float>> logits)
      : FakeEngine(TinySpec(2)), logits_(std::move(logits)) {}
  void Infer(const Batch& batch, std::span<float> out) override {
    for (int64_t i = 0; i < batch.count(); ++i) {
      std::copy(logits_[next_].begin(), logits_[next_].end(),
                out.begin() + i * 10);
      ++next_;
    }
  }

 private:
  std::vector<std::vector<float>> logits_;
  size_t next_ = 0;
};

TEST(Evaluate, CountsTopOneTopFiveAndConfusions) {
  const TinyImages images(50, true, /*wrong_every=*/10);
  for (const int64_t threads : {1, 3}) {
    FakeEngine engine(TinySpec());
    int64_t seen = 0;
    const Evaluation result =
        Evaluate(engine, images, threads, [&](std::span<const float> logits) {
          seen += static_cast<int64_t>(logits.size()) / 10;
        });
    EXPECT_EQ(seen, 50);
    EXPECT_EQ(result.images, 50);
    EXPECT_EQ(result.correct_top1, 45);
    // A label that comes after the predicted one in the circle is last.
    EXPECT_EQ(result.correct_top5, 45);
    ASSERT_EQ(result.confusion.size(), 100U);
    // Images 0, 10, … have label 0 and are taken for 1.
    EXPECT_EQ(result.confusion[1], 5);
    EXPECT_EQ(result.confusion[11], 5);
    EXPECT_EQ(result.confusion[0], 0);
    EXPECT_DOUBLE_EQ(result.top1(), 0.9);
  }
}

TEST(Evaluate, LossIsTheCrossEntropy) {
  const TinyImages images(2);  // labels 0 and 7
  std::vector<float> first(10, 0.0F);
  first[0] = 2;
  std::vector<float> second(10, 100.0F);
  second[7] = -1000;
  Scripted engine({first, second});
  const Evaluation result = Evaluate(engine, images);
  const double a = std::log(std::exp(2.0) + 9) - 2;
  const double b = 1100 + std::log(9.0);
  EXPECT_NEAR(result.loss, (a + b) / 2, 1e-9);
  EXPECT_EQ(result.correct_top1, 1);
  EXPECT_EQ(result.correct_top5, 1);
}

TEST(Evaluate, OfEqualsTheFirstClassIsTheAnswer) {
  const TinyImages images(2);
  Scripted engine({std::vector<float>(10, 1.0F), std::vector<float>(10, 1.0F)});
  const Evaluation result = Evaluate(engine, images);
  EXPECT_EQ(result.correct_top1, 1);  // label 0
  EXPECT_EQ(result.correct_top5, 1);  // label 7 ranks eighth
}

TEST(Evaluate, NotANumberIsNeverRight) {
  const TinyImages images(2);
  const std::vector<float> broken(10, NAN);
  Scripted engine({broken, broken});
  const Evaluation result = Evaluate(engine, images);
  EXPECT_EQ(result.correct_top1, 0);
  EXPECT_EQ(result.correct_top5, 0);
  EXPECT_TRUE(std::isnan(result.loss));
}

TEST(Evaluate, RefusesALabelThatIsNoClass) {
  for (const int32_t label : {-1, 10, 255}) {
    TinyImages images(3);
    images.labels_[2] = label;
    FakeEngine engine(TinySpec());
    EXPECT_THROW(Evaluate(engine, images), Error);
  }
}

TEST(RankClasses, SortsByProbability) {
  const std::vector<float> logits = {1, 3, 2, 3};
  const std::vector<ClassProbability> ranked = RankClasses(logits);
  ASSERT_EQ(ranked.size(), 4U);
  EXPECT_EQ(ranked[0].label, 1);
  EXPECT_EQ(ranked[1].label, 3);
  EXPECT_EQ(ranked[2].label, 2);
  EXPECT_EQ(ranked[3].label, 0);
  const double sum = std::exp(1.0) + 2 * std::exp(3.0) + std::exp(2.0);
  EXPECT_NEAR(ranked[0].probability, std::exp(3.0) / sum, 1e-6);
  EXPECT_NEAR(ranked[3].probability, std::exp(1.0) / sum, 1e-6);
}

TEST(RankClasses, TakesLargeLogitsAndRefusesNaN) {
  const std::vector<float> large = {3e38F, -3e38F};
  EXPECT_FLOAT_EQ(RankClasses(large)[0].probability, 1);
  const std::vector<float> broken = {1, NAN};
  EXPECT_THROW(RankClasses(broken), Error);
}

}  // namespace
}  // namespace alexnet
