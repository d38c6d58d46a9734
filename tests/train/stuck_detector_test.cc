// SPDX-License-Identifier: MIT
#include "train/stuck_detector.h"

#include <gtest/gtest.h>

namespace alexnet {
namespace {

// The step at which it speaks, 0 if never; `times` counts how often.
template <class Loss>
int64_t FirstAlarm(int64_t classes, int64_t steps, Loss loss, int& times) {
  StuckDetector detector(classes);
  int64_t first = 0;
  times = 0;
  for (int64_t step = 1; step <= steps; ++step) {
    if (!detector.Add(loss(step))) continue;
    if (times++ == 0) first = step;
  }
  return first;
}

TEST(StuckDetector, SpeaksOnceOfALossAtGuessing) {
  int times = 0;
  const auto noisy = [](int64_t step) {
    return 2.302585 + (step % 2 == 0 ? 0.02 : -0.02);
  };
  EXPECT_EQ(FirstAlarm(10, 2000, noisy, times), StuckDetector::kSteps);
  EXPECT_EQ(times, 1);
}

TEST(StuckDetector, FindsANetworkThatDiesLater) {
  int times = 0;
  const auto dies = [](int64_t step) { return step < 1000 ? 1.5 : 2.3026; };
  const int64_t alarm = FirstAlarm(10, 3000, dies, times);
  EXPECT_GT(alarm, 1000 + StuckDetector::kSteps);
  EXPECT_LT(alarm, 1200 + StuckDetector::kSteps);
  EXPECT_EQ(times, 1);
}

TEST(StuckDetector, IsSilentWhenTheLossMoves) {
  int times = 0;
  const auto learns = [](int64_t step) {
    return 2.3026 - 0.002 * static_cast<double>(step);
  };
  EXPECT_EQ(FirstAlarm(10, 1000, learns, times), 0);
  const auto diverges = [](int64_t) { return 2.4; };
  EXPECT_EQ(FirstAlarm(10, 1000, diverges, times), 0);
  const auto of_a_hundred = [](int64_t) { return 4.6052; };
  EXPECT_EQ(FirstAlarm(10, 1000, of_a_hundred, times), 0);
  EXPECT_EQ(FirstAlarm(100, 1000, of_a_hundred, times), StuckDetector::kSteps);
}

}  // namespace
}  // namespace alexnet
