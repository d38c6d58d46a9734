// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "alexnet/dataset.h"
#include "alexnet/error.h"
#include "core/fnv1a.h"
#include "data/shape_outlines.h"

namespace alexnet {
namespace {

uint64_t BytesHash(const Dataset& data) {
  uint64_t hash = testing::Fnv1aOf(data.staged_view().pixels);
  for (int64_t i = 0; i < data.size(); ++i) {
    const int32_t label = data.label(i);
    hash = testing::Fnv1a(std::as_bytes(std::span(&label, 1)), hash);
  }
  return hash;
}

// Results that people publish depend on these bytes: they never change, on no
// machine, with no compiler.
TEST(Shapes, HasTheSameBytesEverywhere) {
  EXPECT_EQ(BytesHash(*MakeShapes({.count = 200, .seed = 0}, Split::kTrain)),
            0x89b4b8e20cb1e227U);
  EXPECT_EQ(BytesHash(*MakeShapes({.count = 200, .seed = 7}, Split::kTest)),
            0x95ff69302ab584c4U);
}

TEST(Shapes, EveryTenImagesHoldEachClassOnce) {
  const auto data = MakeShapes({.count = 1000, .seed = 3}, Split::kTrain);
  EXPECT_EQ(data->image_shape(), (Shape3{3, 32, 32}));
  EXPECT_EQ(std::ssize(data->class_names()), 10);
  for (int64_t first = 0; first < data->size(); first += 10) {
    std::set<int32_t> seen;
    for (int64_t i = first; i < first + 10; ++i) seen.insert(data->label(i));
    EXPECT_EQ(std::ssize(seen), 10);
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), 9);
  }
}

TEST(Shapes, AShorterSetIsTheBeginningOfALonger) {
  const auto few = MakeShapes({.count = 13, .seed = 5}, Split::kTest);
  const auto many = MakeShapes({.count = 40, .seed = 5}, Split::kTest);
  const auto pixels = few->staged_view().pixels;
  EXPECT_EQ(std::ssize(pixels), 13 * 3072);
  EXPECT_TRUE(std::ranges::equal(
      pixels, many->staged_view().pixels.first(pixels.size())));
  for (int64_t i = 0; i < 13; ++i) EXPECT_EQ(few->label(i), many->label(i));
}

TEST(Shapes, NoImageIsThereTwice) {
  std::set<std::vector<uint8_t>> seen;
  int64_t images = 0;
  for (const uint64_t seed : {0, 1}) {
    for (const Split split : {Split::kTrain, Split::kTest}) {
      const auto data = MakeShapes({.count = 300, .seed = seed}, split);
      std::vector<uint8_t> pixels(3072);
      for (int64_t i = 0; i < data->size(); ++i, ++images) {
        data->Read(i, pixels);
        seen.insert(pixels);
      }
    }
  }
  EXPECT_EQ(std::ssize(seen), images);
}

// Ten rows of weights for 3072 pixels and a bias, by plain stochastic gradient
// descent on the cross-entropy.
class SoftmaxRegression {
 public:
  std::vector<double> Probabilities(std::span<const double> pixels) const {
    std::vector<double> p(10);
    double sum = 0;
    for (size_t k = 0; k < 10; ++k) {
      p[k] = std::exp(std::inner_product(pixels.begin(), pixels.end(),
                                         weights_.begin() + Row(k), bias_[k]));
      sum += p[k];
    }
    for (double& value : p) value /= sum;
    return p;
  }
  void Learn(std::span<const double> pixels, size_t label, double rate) {
    std::vector<double> error = Probabilities(pixels);
    error[label] -= 1;
    for (size_t k = 0; k < 10; ++k) {
      bias_[k] -= rate * error[k];
      auto weight = weights_.begin() + Row(k);
      for (const double pixel : pixels) *weight++ -= rate * error[k] * pixel;
    }
  }

 private:
  static int64_t Row(size_t k) { return static_cast<int64_t>(k) * 3072; }
  std::vector<double> weights_ = std::vector<double>(30720);
  std::vector<double> bias_ = std::vector<double>(10);
};

std::vector<double> Normalised(const Dataset& data, int64_t index) {
  const auto bytes = data.staged_view().pixels.subspan(
      static_cast<size_t>(index) * 3072, 3072);
  std::vector<double> pixels;
  for (const uint8_t byte : bytes) pixels.push_back(byte / 127.5 - 1);
  return pixels;
}

TEST(Shapes, IsNotForALinearModel) {
  const auto train = MakeShapes({.count = 3000, .seed = 0}, Split::kTrain);
  const auto test = MakeShapes({.count = 500, .seed = 0}, Split::kTest);
  SoftmaxRegression model;
  for (int64_t i = 0; i < 3 * train->size(); ++i) {
    const int64_t index = i % train->size();
    model.Learn(Normalised(*train, index),
                static_cast<size_t>(train->label(index)), 1e-4);
  }
  int correct = 0;
  for (int64_t i = 0; i < test->size(); ++i) {
    const auto p = model.Probabilities(Normalised(*test, i));
    correct += std::ranges::max_element(p) - p.begin() == test->label(i);
  }
  EXPECT_LT(correct, 0.6 * 500);
  EXPECT_GT(correct, 0.2 * 500);  // that it learned what there is to learn
}

TEST(Shapes, RefusesCountsThatMakeNoSense) {
  for (const int64_t count : {int64_t{0}, int64_t{-1}, int64_t{1} << 40}) {
    EXPECT_THROW(MakeShapes({.count = count, .seed = 0}, Split::kTrain),
                 UsageError);
  }
}

// Areas of the outlines, by counting points, against geometry.
TEST(Outlines, HaveTheAreasOfTheirForms) {
  const auto area = [](Outline outline) {
    constexpr int kSteps = 1000;
    int64_t inside = 0;
    for (int i = 0; i < kSteps * kSteps; ++i) {
      const double u = (i % kSteps + 0.5) * 2 / kSteps - 1;
      const double v = (i / kSteps + 0.5) * 2 / kSteps - 1;
      inside += Contains(outline, u, v);
    }
    return 4.0 * static_cast<double>(inside) / (kSteps * kSteps);
  };
  constexpr double kPi = 3.14159265358979;
  EXPECT_NEAR(area(Outline::kCircle), kPi * 0.95 * 0.95, 0.01);
  EXPECT_NEAR(area(Outline::kRing), kPi * (1 - 0.36), 0.01);
  EXPECT_NEAR(area(Outline::kSquare), 1.5 * 1.5, 0.01);
  EXPECT_NEAR(area(Outline::kTriangle), 1.299, 0.01);
  EXPECT_NEAR(area(Outline::kCross), 2 * 2 * 0.5 - 0.25, 0.01);
  EXPECT_NEAR(area(Outline::kCheckerboard), 2, 0.02);
  EXPECT_NEAR(area(Outline::kStripes), 2, 0.02);
}

}  // namespace
}  // namespace alexnet
