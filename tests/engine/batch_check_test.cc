// SPDX-License-Identifier: MIT
// What engines refuse, and in which words.
#include "engine/batch_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "alexnet/error.h"

namespace alexnet {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

EngineSpec Spec() {
  EngineSpec spec;
  spec.model = MakePreset("lenet5");
  spec.source = {3, 32, 32};
  spec.batch_size = 4;
  return spec;
}

template <class Change>
void ExpectSpecRefused(const Change& change, const std::string& why) {
  EngineSpec spec = Spec();
  change(spec);
  EXPECT_THAT([&] { CheckEngineSpec(spec); },
              ThrowsMessage<UsageError>(HasSubstr(why)));
}

TEST(EngineSpecCheck, Refusals) {
  EXPECT_NO_THROW(CheckEngineSpec(Spec()));
  ExpectSpecRefused([](auto& s) { s.batch_size = 0; }, "batch size");
  ExpectSpecRefused([](auto& s) { s.slice_size = -1; }, "slice size");
  ExpectSpecRefused([](auto& s) { s.threads = -1; }, "threads");
  ExpectSpecRefused([](auto& s) { s.source.height = 0; }, "1 to 65536");
  ExpectSpecRefused([](auto& s) { s.source.channels = 1; }, "1 channels");
  ExpectSpecRefused([](auto& s) { s.input.std[1] = 0; }, "channel 1");
  ExpectSpecRefused([](auto& s) { s.input.mean[2] = std::nanf(""); },
                    "channel 2");
  ExpectSpecRefused([](auto& s) { s.optimizer.beta1 = 1; }, "betas");
  ExpectSpecRefused([](auto& s) { s.optimizer.eps = -1; }, "eps");
  ExpectSpecRefused([](auto& s) { s.optimizer.weight_decay = -1; }, "decay");
  ExpectSpecRefused([](auto& s) { s.model.classes = 9; }, "fc3");
}

TEST(StepCheck, Refusals) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_NO_THROW(CheckStep({}));
  EXPECT_THROW(CheckStep({.step = 0}), UsageError);
  EXPECT_THROW(CheckStep({.epoch = -1}), UsageError);
  EXPECT_THROW(CheckStep({.learning_rate = -1}), UsageError);
  EXPECT_THROW(CheckStep({.learning_rate = infinity}), UsageError);
}

class BatchCheck : public ::testing::Test {
 protected:
  BatchCheck() : pixels_(3 * 3072) {
    batch_.images = {pixels_, spec_.source};
    batch_.labels = labels_;
  }

  void ExpectRefused(const std::string& why) {
    EXPECT_THAT([&] { CheckedBatch(spec_, sets_, batch_); },
                ThrowsMessage<UsageError>(HasSubstr(why)));
  }
  void ExpectLabelsRefused(const std::string& why) {
    EXPECT_THAT([&] { CheckLabels(spec_, batch_); },
                ThrowsMessage<Error>(HasSubstr(why)));
  }

  EngineSpec spec_ = Spec();
  StagedSets sets_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_ = {0, 9, 4};
  std::vector<int64_t> indices_;
  std::vector<float> probabilities_;
  Batch batch_;
};

TEST_F(BatchCheck, FindsImages) {
  pixels_[3072] = 7;
  const CheckedBatch checked(spec_, sets_, batch_);
  EXPECT_EQ(checked.count(), 3);
  EXPECT_EQ(checked.pixels(1)[0], 7);
  EXPECT_EQ(checked.sample_id(2), 2);
  EXPECT_NO_THROW(CheckLabels(spec_, batch_));
}

TEST_F(BatchCheck, FindsStagedImages) {
  pixels_[3072] = 7;
  const StagedImages staged = sets_.Add(spec_, batch_.images);
  indices_ = {2, 1};
  batch_.images = {};
  batch_.staged = staged;
  batch_.indices = indices_;
  const CheckedBatch checked(spec_, sets_, batch_);
  EXPECT_EQ(checked.count(), 2);
  EXPECT_EQ(checked.pixels(1)[0], 7);
  EXPECT_EQ(checked.sample_id(0), 2);
  const std::vector<int64_t> ids = {50, 60};
  batch_.sample_ids = ids;
  EXPECT_EQ(CheckedBatch(spec_, sets_, batch_).sample_id(1), 60);
}

TEST_F(BatchCheck, RefusesImages) {
  batch_.images.pixels = batch_.images.pixels.first(3071);
  ExpectRefused("not a whole number");
  batch_.images.pixels = {};
  ExpectRefused("1 to 4 images, this one has 0");
  pixels_.resize(5 * 3072);
  batch_.images = {pixels_, spec_.source};
  ExpectRefused("1 to 4 images, this one has 5");
  batch_.images.shape = {3, 16, 64};
  ExpectRefused("images are 3×16×64, the engine was made for 3×32×32");
  batch_.images = {};
  ExpectRefused("images are 0×1×1");
}

TEST_F(BatchCheck, RefusesStagedImages) {
  indices_ = {0, 3};
  batch_.indices = indices_;
  ExpectRefused("indices need staged images");
  batch_.staged = {0};
  ExpectRefused("not both");
  const ImageView images = std::exchange(batch_.images, {});
  ExpectRefused("staged with this engine as number 0");
  sets_.Add(spec_, images);
  ExpectRefused("index 3 at place 1 of the batch: there are 3 staged");
  indices_[1] = -1;
  ExpectRefused("index -1");
  batch_.indices = {};
  ExpectRefused("this one has 0");
  EXPECT_THROW(sets_.Add(spec_, {}), UsageError);
}

TEST_F(BatchCheck, RefusesSampleIds) {
  const std::vector<int64_t> ids = {1, 2};
  batch_.sample_ids = ids;
  ExpectRefused("sample_ids: expected 3 values, got 2");
}

TEST_F(BatchCheck, RefusesLabels) {
  const std::vector<int64_t> ids = {70, 71, 72};
  labels_[1] = 10;
  ExpectLabelsRefused("image 1 of the batch: label 10 is outside 0 … 9");
  labels_[1] = -1;
  batch_.sample_ids = ids;
  ExpectLabelsRefused("image 1 of the batch (sample 71): label -1");
  batch_.labels = batch_.labels.first(2);
  ExpectLabelsRefused("labels: expected 3 values, got 2");
  batch_.labels = {};
  ExpectLabelsRefused("labels: expected 3 values, got 0");
}

TEST_F(BatchCheck, RefusesProbabilities) {
  probabilities_.assign(30, 0.1F);
  batch_.label_probabilities = probabilities_;
  ExpectLabelsRefused("not both");
  batch_.labels = {};
  EXPECT_NO_THROW(CheckLabels(spec_, batch_));
  probabilities_[12] = std::nanf("");
  ExpectLabelsRefused("image 1 of the batch: probability of class 2");
  probabilities_[12] = 1.5F;
  ExpectLabelsRefused("must be in [0, 1], is 1.5");
  probabilities_[12] = 0.5F;
  ExpectLabelsRefused("must sum to 1, their sum is 1.4");
  batch_.label_probabilities = batch_.label_probabilities.first(29);
  ExpectLabelsRefused("label_probabilities: expected 30 values, got 29");
}

}  // namespace
}  // namespace alexnet
