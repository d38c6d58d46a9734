// SPDX-License-Identifier: MIT
// Signals, and what becomes of a run that was ended by one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include "cli/program.h"

namespace alexnet::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class Interruption : public ::testing::Test {
 protected:
  std::vector<std::string> Arguments(const std::string& out,
                                     bool resume = false) const {
    std::vector<std::string> arguments = {"train",
                                          "--arch=lenet5",
                                          "--dataset=shapes",
                                          "--epochs=3",
                                          "--shapes-count=1200",
                                          "--batch-size=8",
                                          "--shuffle",
                                          "--checkpoint-every=40",
                                          "--threads=1",
                                          "--seed=5",
                                          "--out",
                                          out};
    if (resume) arguments.emplace_back("--resume");
    return arguments;
  }

  Outcome Call(const std::vector<std::string>& arguments) {
    return RunProgram(arguments, setting_);
  }

  void ExpectSameRun(const std::string& a, const std::string& b) {
    EXPECT_TRUE(ReadAll(scratch_ / a / "params.pth") ==
                ReadAll(scratch_ / b / "params.pth"));
    EXPECT_GT(fs::file_size(scratch_ / a / "params.pth"), 62006U * 4);
  }

  const Scratch scratch_;
  const Setting setting_{.folder = scratch_.path()};
};

TEST_F(Interruption, SigtermLeavesACheckpointToGoOnFrom) {
  ASSERT_EQ(Call(Arguments("whole")).exit_code, 0);
  Program program(Arguments("cut"), setting_);
  ASSERT_TRUE(program.WaitFor("0 100, Loss"));
  program.Signal(SIGTERM);
  const Outcome outcome = program.Wait();
  EXPECT_EQ(outcome.exit_code, 143) << outcome.err;
  EXPECT_FALSE(fs::exists(scratch_ / "cut" / "params.pth"));
  const Outcome rest = Call(Arguments("cut", true));
  ASSERT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_THAT(rest.out, HasSubstr("going on from step"));
  ExpectSameRun("whole", "cut");
}

TEST_F(Interruption, SigintEndsWith130) {
  Program program(Arguments("cut"), setting_);
  ASSERT_TRUE(program.WaitFor("0 0, Loss"));
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait().exit_code, 130);
  const Outcome refused = Call(Arguments("cut"));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--resume"));
}

TEST_F(Interruption, ASecondSignalEndsAtOnce) {
  Program program(Arguments("cut"), setting_);
  ASSERT_TRUE(program.WaitFor("0 0, Loss"));
  // Whether the second arrives before the first has done its work or not, the
  // program ends with the first or the second one's code.
  program.Signal(SIGTERM);
  program.Signal(SIGINT);
  const Outcome outcome = program.Wait();
  EXPECT_THAT(outcome.exit_code, ::testing::AnyOf(130, 143));
}

TEST_F(Interruption, KilledAtRandomMomentsTheBytesAreTheSame) {
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(Call(Arguments("whole")).exit_code, 0);
  const std::chrono::duration<double> whole =
      std::chrono::steady_clock::now() - start;
  std::mt19937 random(7);
  std::uniform_real_distribution<double> moment(0.05, 0.6);
  constexpr int kKills = 4;
  for (int i = 0; i < kKills; ++i) {
    Program program(Arguments("cut", /*resume=*/true), setting_);
    std::this_thread::sleep_for(moment(random) * whole);
    program.Signal(SIGKILL);
    program.Wait();
  }
  const Outcome rest = Call(Arguments("cut", true));
  ASSERT_EQ(rest.exit_code, 0) << rest.err;
  ExpectSameRun("whole", "cut");
  EXPECT_EQ(ReadAll(scratch_ / "whole/steps.csv").size() > 0, true);
}

}  // namespace
}  // namespace alexnet::testing
