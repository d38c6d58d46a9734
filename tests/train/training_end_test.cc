// SPDX-License-Identifier: MIT
// How the loop ends before its time, and what it calls the best.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alexnet/error.h"
#include "alexnet/train.h"
#include "train/fake_engine.h"
#include "train/tiny_images.h"

namespace alexnet {
namespace {

using testing::ElementsAre;

// Its validation is set by hand: right for the first `right` of ten images.
class ScriptedEngine : public FakeEngine {
 public:
  using FakeEngine::FakeEngine;
  std::vector<int64_t> right;
  size_t validations = 0;

  void Infer(const Batch& batch, std::span<float> logits) override {
    std::fill(logits.begin(), logits.end(), 0.0F);
    for (int64_t i = 0; i < batch.count(); ++i, ++seen_) {
      const auto label =
          static_cast<size_t>(batch.labels[static_cast<size_t>(i)]);
      const bool good = seen_ % 10 < right.at(validations);
      logits[static_cast<size_t>(i) * 10 + (good ? label : (label + 1) % 10)] =
          1;
    }
    if (seen_ % 10 == 0) ++validations;
  }

 private:
  int64_t seen_ = 0;
};

TEST(EarlyStop, EndsWhenNothingGetsBetter) {
  const TinyImages images(10);
  ScriptedEngine engine(TinySpec());
  engine.right = {3, 5, 5, 4, 9, 9, 9};
  std::vector<int64_t> epochs;
  int64_t best = 0;
  TrainHooks hooks;
  hooks.on_epoch = [&](const EpochReport& r) { epochs.push_back(r.epoch); };
  hooks.on_best = [&] { best = static_cast<int64_t>(engine.validations); };
  TrainPosition position;
  const TrainOptions options = {.epochs = 20, .early_stop = 2};
  EXPECT_EQ(Train(engine, images, &images, options, position, hooks),
            TrainEnd::kFinished);
  EXPECT_THAT(epochs, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(best, 2);  // the second validation
  EXPECT_EQ(position.best, (BestEpoch{1, 0.5, position.best.loss}));
  // It stays ended, unless it is told to wait longer.
  EXPECT_EQ(Train(engine, images, &images, options, position, hooks),
            TrainEnd::kFinished);
  EXPECT_EQ(epochs.size(), 4U);
  Train(engine, images, &images, {.epochs = 7, .early_stop = 3}, position,
        hooks);
  EXPECT_EQ(epochs.size(), 7U);
  EXPECT_EQ(position.best.epoch, 4);
}

TEST(EarlyStop, NeedsImagesToValidateWith) {
  const TinyImages images(10);
  FakeEngine engine(TinySpec());
  TrainPosition position;
  EXPECT_THROW(Train(engine, images, nullptr, {.early_stop = 1}, position),
               UsageError);
}

TEST(TimeBudget, CountsAllSessions) {
  const TinyImages images(10);
  FakeEngine engine(TinySpec());
  TrainPosition position;
  position.seconds = 5;
  EXPECT_EQ(Train(engine, images, nullptr, {.time_budget = 5}, position),
            TrainEnd::kFinished);
  EXPECT_EQ(position.step, 0);
  Train(engine, images, nullptr, {.epochs = 2, .time_budget = 1e6}, position);
  EXPECT_EQ(position.step, 6);
  EXPECT_GT(position.seconds, 5);
}

TEST(TimeBudget, EndsAfterTheStepThatPassesIt) {
  const TinyImages images(40);
  FakeEngine engine(TinySpec());
  TrainPosition position;
  int64_t saved = 0;
  TrainHooks hooks;
  hooks.on_checkpoint = [&](const TrainPosition& p) { saved = p.step; };
  EXPECT_EQ(
      Train(engine, images, nullptr, {.time_budget = 1e-9}, position, hooks),
      TrainEnd::kFinished);
  EXPECT_EQ(position.step, 1);
  EXPECT_EQ(saved, 1);
}

TEST(Average, IsValidatedInTheWeightsPlace) {
  const TinyImages images(10);
  EngineSpec spec = TinySpec();
  spec.average_decay = 0.5;
  ScriptedEngine engine(spec);
  engine.right = {3, 4};
  std::vector<float> seen(10), weights(10), average(10);
  TrainHooks hooks;
  hooks.on_best = [&] { engine.Read(State::kParameter, "fc.bias", seen); };
  TrainPosition position;
  Train(engine, images, &images, {.epochs = 2}, position, hooks);
  engine.Read(State::kParameter, "fc.bias", weights);
  engine.Read(State::kAverage, "fc.bias", average);
  EXPECT_EQ(seen, average);
  EXPECT_NE(seen, weights);
}

}  // namespace
}  // namespace alexnet
