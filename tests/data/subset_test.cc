// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include "alexnet/dataset.h"
#include "alexnet/error.h"

namespace alexnet {
namespace {

std::vector<uint8_t> Pixels(const Dataset& data, int64_t index) {
  std::vector<uint8_t> pixels(
      static_cast<size_t>(data.image_shape().elements()));
  data.Read(index, pixels);
  return pixels;
}

TEST(Subset, ShowsTheChosenImages) {
  const auto whole = MakeShapes({.count = 12, .seed = 1}, Split::kTrain);
  const auto part = Subset(*whole, {11, 3, 3});
  EXPECT_EQ(part->size(), 3);
  EXPECT_EQ(part->image_shape(), whole->image_shape());
  EXPECT_EQ(part->class_names(), whole->class_names());
  EXPECT_EQ(part->label(0), whole->label(11));
  EXPECT_EQ(part->sample_id(0), 11);
  EXPECT_EQ(Pixels(*part, 0), Pixels(*whole, 11));
  EXPECT_EQ(Pixels(*part, 1), Pixels(*part, 2));
}

// An engine finds each image at its sample_id in the staged whole.
TEST(Subset, OfASubsetStillNamesTheWholesImages) {
  const auto whole = MakeShapes({.count = 12, .seed = 1}, Split::kTrain);
  const auto part = Subset(*whole, {2, 4, 6, 8});
  const auto smaller = Subset(*part, {3, 1});
  EXPECT_EQ(smaller->sample_id(0), 8);
  EXPECT_EQ(smaller->sample_id(1), 4);
  EXPECT_EQ(Pixels(*smaller, 0), Pixels(*whole, 8));
  EXPECT_EQ(smaller->staged_view().pixels.data(),
            whole->staged_view().pixels.data());
}

TEST(Subset, FingerprintTellsTheChoice) {
  const auto whole = MakeShapes({.count = 5, .seed = 1}, Split::kTrain);
  const auto one = Subset(*whole, {0, 1})->fingerprint();
  EXPECT_EQ(Subset(*whole, {0, 1})->fingerprint(), one);
  EXPECT_NE(Subset(*whole, {1, 0})->fingerprint(), one);
  EXPECT_NE(Subset(*whole, {0, 1, 2})->fingerprint(), one);
  EXPECT_NE(whole->fingerprint(), one);
}

TEST(Subset, RefusesImagesThatAreNotThere) {
  const auto whole = MakeShapes({.count = 5, .seed = 1}, Split::kTrain);
  EXPECT_THROW(Subset(*whole, {5}), UsageError);
  EXPECT_THROW(Subset(*whole, {-1}), UsageError);
  EXPECT_EQ(Subset(*whole, {})->size(), 0);
}

}  // namespace
}  // namespace alexnet
