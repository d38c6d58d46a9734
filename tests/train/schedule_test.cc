// SPDX-License-Identifier: MIT
// The learning rate over the steps against torch.optim.lr_scheduler's.
#include "alexnet/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alexnet/error.h"
#include "engine/golden.h"

namespace alexnet {
namespace {

constexpr double kRate = 0.1;

ScheduleSpec Spec(const std::string& name) {
  ScheduleSpec spec = {.kind = ParseSchedule(name)};
  if (name == "step") spec.step_epochs = 12, spec.gamma = 0.3;
  if (name == "multistep") spec.milestones = {10, 15, 32};
  if (name == "cosine") spec.end = 0.01;
  if (name == "onecycle") {
    spec.rise = 0.25;
    spec.start = 1 / 20.0;
    spec.end = 1 / 20.0 / 50;
  }
  if (name == "poly") spec.power = 2;
  if (name == "plateau") spec.gamma = 0.5, spec.patience = 2;
  return spec;
}

TEST(Schedule, EqualsPyTorchs) {
  const nlohmann::json golden = testing_support::LoadGolden("schedules");
  for (const std::string name :
       {"step", "multistep", "cosine", "onecycle", "poly"}) {
    const std::vector<double> expected = golden[name];
    ASSERT_EQ(expected.size(), 40U);
    for (int64_t step = 0; step < 40; ++step) {
      EXPECT_NEAR(kRate * ScheduleFactor(Spec(name), {step, 40, 1}),
                  expected[static_cast<size_t>(step)], 1e-12)
          << name << " " << step;
    }
  }
}

TEST(Schedule, PlateauEqualsPyTorchs) {
  const nlohmann::json golden = testing_support::LoadGolden("schedules");
  const std::vector<double> losses = golden["losses"];
  const std::vector<double> expected = golden["plateau"];
  PlateauState state;
  for (size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(kRate * state.factor, expected[i], 1e-15) << i;
    state.Add(losses[i], Spec("plateau"));
  }
  EXPECT_LT(state.factor, 1);
}

TEST(Schedule, ConstantIsConstant) {
  for (const int64_t step : {0, 1, 99, 1000}) {
    EXPECT_EQ(ScheduleFactor({}, {step, 100, 10}), 1);
  }
}

TEST(Schedule, TimesAreEpochs) {
  ScheduleSpec spec = Spec("multistep");
  spec.milestones = {0.5, 2};
  EXPECT_EQ(ScheduleFactor(spec, {4, 100, 10}), 1);
  EXPECT_EQ(ScheduleFactor(spec, {5, 100, 10}), 0.1);
  EXPECT_EQ(ScheduleFactor(spec, {19, 100, 10}), 0.1);
  EXPECT_DOUBLE_EQ(ScheduleFactor(spec, {20, 100, 10}), 0.01);
}

TEST(Schedule, WarmUpRisesEvenlyToWhereTheScheduleBegins) {
  ScheduleSpec spec = Spec("cosine");
  spec.warmup_epochs = 1.5;
  const ScheduleSpec without = Spec("cosine");
  // Three steps of four, then the schedule over the seventeen that are left.
  for (int64_t step = 0; step < 3; ++step) {
    EXPECT_DOUBLE_EQ(ScheduleFactor(spec, {step, 20, 2}),
                     static_cast<double>(step + 1) / 4);
  }
  for (int64_t step = 3; step < 20; ++step) {
    EXPECT_EQ(ScheduleFactor(spec, {step, 20, 2}),
              ScheduleFactor(without, {step - 3, 17, 2}));
  }
}

TEST(Schedule, AStepThatNeverComesChangesNothing) {
  ScheduleSpec spec = Spec("step");
  spec.step_epochs = 1e300;
  EXPECT_EQ(ScheduleFactor(spec, {5, 100, 10}), 1);
}

TEST(Schedule, TheLastRateStays) {
  for (const std::string name : {"cosine", "onecycle", "poly"}) {
    EXPECT_NEAR(ScheduleFactor(Spec(name), {1000, 40, 1}), Spec(name).end,
                1e-12)
        << name;
  }
}

TEST(Schedule, BadValuesAreRefused) {
  const auto refused = [](auto change) {
    ScheduleSpec spec;
    change(spec);
    EXPECT_THROW(CheckSchedule(spec), UsageError);
  };
  EXPECT_NO_THROW(CheckSchedule({}));
  refused([](ScheduleSpec& s) { s.warmup_epochs = -1; });
  refused([](ScheduleSpec& s) { s.step_epochs = 0; });
  refused([](ScheduleSpec& s) { s.milestones = {-3}; });
  refused([](ScheduleSpec& s) { s.kind = ScheduleKind::kMultiStep; });
  refused([](ScheduleSpec& s) { s.gamma = 2; });
  refused([](ScheduleSpec& s) { s.rise = -0.1; });
  refused([](ScheduleSpec& s) { s.patience = -1; });
  EXPECT_THROW(ParseSchedule("exp"), UsageError);
  for (const std::string name : {"constant", "step", "plateau"}) {
    EXPECT_EQ(Name(ParseSchedule(name)), name);
  }
}

}  // namespace
}  // namespace alexnet
