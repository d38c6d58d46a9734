// SPDX-License-Identifier: MIT
// A run that is killed at random moments, again and again, ends with the same
// bytes as one that was not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <random>

#include "train/checkpoint.h"
#include "train/files.h"
#include "train/small_run.h"

namespace alexnet {
namespace {

// Goes on with the run in a process of its own.
pid_t StartChild(const std::filesystem::path& folder) {
  const pid_t child = fork();
  if (child != 0) return child;
  try {
    RunOptions options = SmallRun(folder);
    options.checkpoint_every = 1;
    options.loader_threads = 2;
    options.resume = true;
    RunTraining(options, WithFakeEngine());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child: %s\n", error.what());
    _exit(1);
  }
  _exit(0);
}

int WaitFor(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  return status;
}

void Sleep(double seconds) {
  const timespec time{.tv_sec = 0,
                      .tv_nsec = static_cast<int64_t>(seconds * 1e9)};
  nanosleep(&time, nullptr);
}

TEST(Kill, AtAnyMomentThenResumedGivesTheSameBytes) {
  const TempFolder whole;
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(WaitFor(StartChild(whole.path())), 0);
  const std::chrono::duration<double> once =
      std::chrono::steady_clock::now() - start;
  const std::string weights = ReadAll(whole.path() / kWeightsFile);
  ASSERT_FALSE(weights.empty());

  std::mt19937 random(1);
  std::uniform_real_distribution<double> part(0, 1);
  double latest = std::min(once.count(), 0.9);
  constexpr int kKills = 8;
  int killed = 0;
  for (int round = 0; round < 4 || (killed < kKills && round < 50); ++round) {
    const TempFolder folder;
    int status = -1;
    for (int attempt = 0; attempt < 6 && status != 0; ++attempt) {
      const pid_t child = StartChild(folder.path());
      Sleep(part(random) * latest);
      kill(child, SIGKILL);
      status = WaitFor(child);
      ASSERT_TRUE(WIFSIGNALED(status) || status == 0);
      killed += WIFSIGNALED(status);
    }
    // The first run may have been a slow one: most were over before their kill.
    if (killed < 2 * (round + 1)) latest /= 2;
    ASSERT_EQ(WaitFor(StartChild(folder.path())), 0);
    EXPECT_EQ(ReadAll(folder.path() / kWeightsFile), weights);
    EXPECT_EQ(StepsWithoutTimes(folder.path()),
              StepsWithoutTimes(whole.path()));
    for (const std::string& name : folder.Names()) {
      EXPECT_EQ(name.find("tmp"), std::string::npos) << name;
    }
  }
  EXPECT_GE(killed, kKills);
}

}  // namespace
}  // namespace alexnet
