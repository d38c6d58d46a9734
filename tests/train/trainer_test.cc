// SPDX-License-Identifier: MIT
// The loop over a fake engine: order, books, ends, exact resume.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>

#include "alexnet/train.h"
#include "train/fake_engine.h"
#include "train/tiny_images.h"

namespace alexnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Outcome {
  std::string state;
  std::vector<double> losses;
  std::vector<int64_t> samples;
  TrainPosition position;
  bool operator==(const Outcome& other) const {
    return state == other.state && losses == other.losses &&
           samples == other.samples && position.step == other.position.step;
  }
};

TrainOptions Shuffled(int64_t loader_threads = 1) {
  return {.epochs = 3,
          .learning_rate = 1e-2,
          .shuffle = true,
          .seed = 5,
          .loader_threads = loader_threads};
}

// Trains to the end; `stop_after` > 0: in two sittings, the second with a new
// engine that is given the first one's state.
Outcome RunTiny(const Dataset& images, const TrainOptions& options,
                int64_t stop_after = 0) {
  Outcome outcome;
  std::stop_source stop;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) {
    outcome.losses.push_back(report.result.loss);
    if (report.position.step == stop_after) stop.request_stop();
  };
  hooks.stop = stop.get_token();
  auto engine = std::make_unique<FakeEngine>(TinySpec());
  TrainEnd end =
      Train(*engine, images, nullptr, options, outcome.position, hooks);
  outcome.samples = engine->samples;
  if (end == TrainEnd::kStopped) {
    EXPECT_EQ(outcome.position.step, stop_after);
    auto second = std::make_unique<FakeEngine>(TinySpec());
    for (const ParameterInfo& info : Parameters(TinyModel())) {
      std::vector<float> values(static_cast<size_t>(info.elements));
      for (const State state :
           {State::kParameter, State::kFirstMoment, State::kSecondMoment}) {
        engine->Read(state, info.name, values);
        second->Write(state, info.name, values);
      }
    }
    hooks.stop = {};
    end = Train(*second, images, nullptr, options, outcome.position, hooks);
    outcome.samples.insert(outcome.samples.end(), second->samples.begin(),
                           second->samples.end());
    engine = std::move(second);
  }
  EXPECT_EQ(end, TrainEnd::kFinished);
  outcome.state = engine->State3();
  return outcome;
}

TEST(Train, VisitsEveryImageOfEveryEpochInOrderAndTheLastShortBatch) {
  const TinyImages images(10);
  FakeEngine engine(TinySpec());
  TrainPosition position;
  Train(engine, images, nullptr, {.epochs = 2}, position);
  EXPECT_THAT(engine.batch_sizes, ElementsAre(4, 4, 2, 4, 4, 2));
  EXPECT_THAT(engine.samples, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2,
                                          3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(position.step, 6);
  EXPECT_EQ(position.epoch, 2);
  EXPECT_EQ(position.in_epoch, 0);
}

TEST(Train, ShufflesEachEpochAsEpochOrderSays) {
  const TinyImages images(10);
  FakeEngine engine(TinySpec());
  TrainPosition position;
  Train(engine, images, nullptr, {.epochs = 2, .shuffle = true, .seed = 5},
        position);
  std::vector<int64_t> expected = EpochOrder(10, true, 5, 0);
  const std::vector<int64_t> second = EpochOrder(10, true, 5, 1);
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_EQ(engine.samples, expected);
}

TEST(Train, ReportsEachStep) {
  const TinyImages images(10);
  FakeEngine engine(TinySpec());
  std::vector<StepReport> reports;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& r) { reports.push_back(r); };
  TrainPosition position;
  Train(engine, images, nullptr, {.epochs = 2, .learning_rate = 0.25}, position,
        hooks);
  ASSERT_EQ(reports.size(), 6U);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(reports[i].position.step, static_cast<int64_t>(i) + 1);
    EXPECT_EQ(reports[i].epoch, i < 3 ? 0 : 1);
    EXPECT_EQ(reports[i].batch, static_cast<int64_t>(i) % 3);
    EXPECT_EQ(reports[i].steps_per_epoch, 3);
    EXPECT_EQ(reports[i].steps_total, 6);
    EXPECT_EQ(reports[i].learning_rate, 0.25);
    EXPECT_GE(reports[i].seconds, reports[i].wait_seconds);
  }
  EXPECT_EQ(reports[4].position.in_epoch, 8);
}

TEST(Train, WeighsEpochAveragesByImages) {
  const TinyImages images(10);
  FakeEngine engine(TinySpec());
  std::vector<StepReport> steps;
  std::vector<EpochReport> epochs;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& r) { steps.push_back(r); };
  hooks.on_epoch = [&](const EpochReport& r) { epochs.push_back(r); };
  TrainPosition position;
  Train(engine, images, nullptr, {.epochs = 1}, position, hooks);
  ASSERT_EQ(epochs.size(), 1U);
  EXPECT_DOUBLE_EQ(epochs[0].train_loss,
                   (4 * steps[0].result.loss + 4 * steps[1].result.loss +
                    2 * steps[2].result.loss) /
                       10);
  const int64_t correct = steps[0].result.correct + steps[1].result.correct +
                          steps[2].result.correct;
  EXPECT_DOUBLE_EQ(epochs[0].train_accuracy, static_cast<double>(correct) / 10);
  EXPECT_EQ(epochs[0].step, 3);
  EXPECT_FALSE(epochs[0].validation);
}

TEST(Train, ResumesExactlyAtEveryStep) {
  for (const bool staged : {true, false}) {
    const TinyImages images(10, staged);
    const Outcome whole = RunTiny(images, Shuffled());
    ASSERT_EQ(whole.losses.size(), 9U);
    for (const int64_t threads : {1, 2, 5}) {
      EXPECT_EQ(RunTiny(images, Shuffled(threads)), whole);
      for (int64_t stop = 1; stop < 9; ++stop) {
        EXPECT_EQ(RunTiny(images, Shuffled(threads), stop), whole)
            << "stopped after " << stop << " with " << threads << " threads";
      }
    }
  }
}

TEST(Train, ResumesExactlyUnderASchedule) {
  const TinyImages images(10);
  for (const std::string name :
       {"cosine", "onecycle", "multistep", "plateau"}) {
    TrainOptions options = Shuffled();
    options.schedule = {.kind = ParseSchedule(name),
                        .warmup_epochs = 0.5,
                        .milestones = {1, 2},
                        .gamma = 0.5,
                        .patience = 0};
    const Outcome whole = RunTiny(images, options);
    EXPECT_NE(whole.state, RunTiny(images, Shuffled()).state) << name;
    for (int64_t stop = 1; stop < 9; ++stop) {
      EXPECT_EQ(RunTiny(images, options, stop), whole)
          << name << " stopped after " << stop;
    }
  }
}

TEST(Train, StepsHaveTheRateOfTheSchedule) {
  const TinyImages images(10);
  FakeEngine engine(TinySpec());
  std::vector<double> rates;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& r) {
    rates.push_back(r.learning_rate);
  };
  TrainPosition position;
  TrainOptions options = {.epochs = 3, .learning_rate = 2};
  options.schedule = {.kind = ScheduleKind::kStep, .step_epochs = 1};
  Train(engine, images, nullptr, options, position, hooks);
  ASSERT_EQ(rates.size(), 9U);
  for (size_t i = 0; i < rates.size(); ++i) {
    EXPECT_DOUBLE_EQ(rates[i], i < 3 ? 2 : i < 6 ? 0.2 : 0.02) << i;
  }
}

TEST(Train, StopsAtMaxStepsAndGoesOnFromThere) {
  const TinyImages images(10);
  TrainOptions options = Shuffled();
  const Outcome whole = RunTiny(images, options);
  FakeEngine engine(TinySpec());
  TrainPosition position;
  for (const int64_t limit : {2, 3, 7, 100}) {
    options.max_steps = limit;
    EXPECT_EQ(Train(engine, images, nullptr, options, position),
              TrainEnd::kFinished);
    EXPECT_EQ(position.step, std::min<int64_t>(limit, 9));
  }
  EXPECT_EQ(engine.State3(), whole.state);
}

// Step and epoch of the checkpoints of a run with five steps an epoch.
using Places = std::vector<std::pair<int64_t, int64_t>>;
Places CheckpointsOf(const TrainOptions& options) {
  const TinyImages images(20);
  FakeEngine engine(TinySpec());
  Places saved;
  TrainHooks hooks;
  hooks.on_checkpoint = [&](const TrainPosition& p) {
    saved.emplace_back(p.step, p.epoch);
  };
  TrainPosition position;
  Train(engine, images, nullptr, options, position, hooks);
  return saved;
}

TEST(Train, AsksForCheckpointsWhereTheyAreDue) {
  EXPECT_EQ(
      CheckpointsOf({.epochs = 3, .max_steps = 13, .checkpoint_every = 2}),
      (Places{
          {2, 0}, {4, 0}, {5, 1}, {6, 1}, {8, 1}, {10, 2}, {12, 2}, {13, 2}}));
}

TEST(Train, MakesOnlyTheLastCheckpointInTheirPause) {
  EXPECT_EQ(CheckpointsOf({.epochs = 3,
                           .max_steps = 13,
                           .checkpoint_every = 2,
                           .checkpoint_pause = 3600}),
            (Places{{13, 2}}));
}

// Its weights lie in a file beside the checkpoint, which must know of them.
TEST(Train, ABestEpochHasACheckpointWhateverThePause) {
  const TinyImages images(20);
  FakeEngine engine(TinySpec());
  std::vector<std::string> events;
  TrainHooks hooks;
  hooks.on_best = [&] { events.push_back("best"); };
  hooks.on_step = [&](const StepReport&) { events.push_back("step"); };
  hooks.on_checkpoint = [&](const TrainPosition&) {
    events.push_back("checkpoint");
  };
  TrainPosition position;
  Train(engine, images, &images,
        {.epochs = 4, .early_stop = 9, .checkpoint_pause = 3600}, position,
        hooks);
  const auto best = std::ranges::find(events, "best");
  ASSERT_NE(best, events.end());
  ASSERT_LT(best - events.begin(), 6);  // of the first epoch
  EXPECT_EQ(best[1], "checkpoint");
}

TEST(Train, StopsAfterTheStepWithACheckpoint) {
  const TinyImages images(20);
  FakeEngine engine(TinySpec());
  std::stop_source stop;
  std::vector<int64_t> saved;
  TrainHooks hooks;
  hooks.stop = stop.get_token();
  hooks.on_step = [&](const StepReport& r) {
    if (r.position.step == 3) stop.request_stop();
  };
  hooks.on_checkpoint = [&](const TrainPosition& p) {
    saved.push_back(p.step);
  };
  TrainPosition position;
  EXPECT_EQ(Train(engine, images, nullptr, {}, position, hooks),
            TrainEnd::kStopped);
  EXPECT_EQ(engine.batch_sizes.size(), 3U);
  EXPECT_THAT(saved, ElementsAre(3));
}

TEST(Train, ValidatesAfterEachEpochWithoutTouchingTheTraining) {
  const TinyImages images(10);
  const TinyImages held_out(9, true, /*wrong_every=*/3);
  FakeEngine with(TinySpec());
  FakeEngine without(TinySpec());
  std::vector<EpochReport> epochs;
  TrainHooks hooks;
  hooks.on_epoch = [&](const EpochReport& r) { epochs.push_back(r); };
  TrainPosition a;
  TrainPosition b;
  Train(with, images, &held_out, Shuffled(), a, hooks);
  Train(without, images, nullptr, Shuffled(), b);
  ASSERT_EQ(epochs.size(), 3U);
  for (const EpochReport& epoch : epochs) {
    ASSERT_TRUE(epoch.validation);
    EXPECT_EQ(epoch.validation->images, 9);
    EXPECT_EQ(epoch.validation->correct_top1, 6);
  }
  EXPECT_EQ(with.State3(), without.State3());
}

// A stop that comes during the last step of an epoch, or while it is
// validated, leaves the epoch's report to the resumed run.
TEST(Train, ReportsAnEpochOnceWhereverItStops) {
  const TinyImages images(10);
  const TinyImages held_out(9);
  for (int64_t at = 1; at <= 9; ++at) {
    FakeEngine engine(TinySpec());
    std::vector<int64_t> epochs;
    std::stop_source stop;
    TrainHooks hooks;
    hooks.on_epoch = [&](const EpochReport& r) { epochs.push_back(r.epoch); };
    hooks.on_step = [&](const StepReport& r) {
      if (r.position.step == at) stop.request_stop();
    };
    hooks.stop = stop.get_token();
    TrainPosition position;
    TrainOptions options = Shuffled();
    if (at == 9) options.max_steps = 9;
    EXPECT_EQ(Train(engine, images, &held_out, options, position, hooks),
              TrainEnd::kStopped);
    EXPECT_EQ(position.step, at);
    hooks.stop = {};
    EXPECT_EQ(Train(engine, images, &held_out, options, position, hooks),
              TrainEnd::kFinished);
    EXPECT_THAT(epochs, ElementsAre(0, 1, 2)) << at;
  }
}

TEST(Train, EndsAtNaNWithoutACheckpoint) {
  const TinyImages images(20);
  for (const std::string where : {"loss", "fc.weight"}) {
    FakeEngine engine(TinySpec());
    engine.nan_at_step = 4;
    engine.nan_where = where;
    std::string before;
    std::vector<int64_t> saved;
    TrainHooks hooks;
    hooks.on_step = [&](const StepReport&) { before = engine.State3(); };
    hooks.on_checkpoint = [&](const TrainPosition& p) {
      saved.push_back(p.step);
    };
    TrainPosition position;
    try {
      Train(engine, images, nullptr, {.checkpoint_every = 2}, position, hooks);
      FAIL() << "expected NonFiniteError";
    } catch (const NonFiniteError& error) {
      EXPECT_THAT(error.what(), HasSubstr("step 4 "));
      EXPECT_THAT(error.what(), HasSubstr(where));
      EXPECT_THAT(error.what(), HasSubstr("learning rate 0.001"));
      EXPECT_THAT(error.what(), HasSubstr("those of step 3"));
      EXPECT_THAT(error.what(), HasSubstr("--lr"));
    }
    EXPECT_THAT(saved, ElementsAre(2));
    EXPECT_EQ(position.step, 3);
    EXPECT_EQ(engine.State3(), before);
  }
}

TEST(Train, WarnsOnceOfALossThatSitsAtGuessing) {
  const TinyImages images(4);
  FakeEngine engine(TinySpec());
  engine.fixed_loss = 2.303;
  std::vector<std::string> warnings;
  TrainHooks hooks;
  hooks.on_warning = [&](const std::string& w) { warnings.push_back(w); };
  TrainPosition position;
  Train(engine, images, nullptr, {.epochs = 500}, position, hooks);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], HasSubstr("ln(10)"));
  EXPECT_THAT(warnings[0], HasSubstr("--lr 3e-4"));
}

TEST(Train, RefusesWhatMakesNoSense) {
  const TinyImages images(10);
  const TinyImages none(0);
  FakeEngine engine(TinySpec());
  TrainPosition position;
  const auto train = [&](const Dataset& data, const TrainOptions& options) {
    Train(engine, data, nullptr, options, position);
  };
  EXPECT_THROW(train(none, {}), UsageError);
  EXPECT_THROW(train(images, {.epochs = 0}), UsageError);
  EXPECT_THROW(train(images, {.learning_rate = -1}), UsageError);
  EXPECT_THROW(train(images, {.max_steps = -1}), UsageError);
  EXPECT_THROW(train(images, {.loader_threads = 0}), UsageError);
  TinyImages eleven(10);
  eleven.names_.push_back("one more");
  EXPECT_THROW(train(eleven, {}), UsageError);
  position.in_epoch = 11;
  EXPECT_THROW(train(images, {}), UsageError);
}

}  // namespace
}  // namespace alexnet
