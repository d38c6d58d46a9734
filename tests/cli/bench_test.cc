// SPDX-License-Identifier: MIT
// What the program says about memory, time and algorithms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"

namespace alexnet::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class Bench : public ::testing::Test {
 protected:
  std::string Call(const std::vector<std::string>& arguments) {
    const Outcome outcome = RunProgram(arguments, {.folder = scratch_.path()});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }
  const Scratch scratch_;
};

TEST_F(Bench, InfoPlansMemoryByPurpose) {
  const auto json = nlohmann::json::parse(
      Call({"info", "--arch", "lenet5", "--plan", "--batch-size", "8",
            "--images", "100", "--threads", "1", "--json"}));
  const auto& plan = json.at("plan");
  EXPECT_EQ(plan.at("batch_size"), 8);
  EXPECT_GT(plan.at("floor_s"), 0);
  int64_t sum = 0;
  for (const auto& [purpose, bytes] : plan.at("memory_bytes").items()) {
    EXPECT_GT(bytes.get<int64_t>(), 0) << purpose;
    sum += bytes.get<int64_t>();
  }
  EXPECT_EQ(plan.at("peak_bytes"), sum);
  EXPECT_EQ(plan.at("memory_bytes").at("images of the data set"), 100 * 3072);
  // Blocked layouts fill up the channels of a layer.
  const auto parameters = plan.at("memory_bytes").at("parameters");
  EXPECT_GE(parameters, 62'006 * 4);
  EXPECT_LT(parameters, 65'000 * 4);
  EXPECT_EQ(plan.at("memory_bytes").at("optimizer state"),
            2 * parameters.get<int64_t>());
}

TEST_F(Bench, ThePeakIsAsPlanned) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer's own memory counts as the program's";
#endif
  const auto json = nlohmann::json::parse(
      Call({"bench", "--steps", "1", "--warmup", "1", "--batch-size", "8",
            "--threads", "2", "--json"}));
  EXPECT_NEAR(json.at("peak_rss_mb").get<double>() /
                  json.at("planned_peak_mb").get<double>(),
              1, 0.05);
}

TEST_F(Bench, TellsTheTimeOfEachLayer) {
  EXPECT_THAT(Call({"bench", "--arch", "lenet5", "--steps", "1", "--warmup",
                    "0", "--batch-size", "4", "--layers"}),
              AllOf(HasSubstr("floor/step"),
                    ContainsRegex("conv1 +[0-9.]+ +[0-9.]+ +[0-9.]+")));
}

TEST_F(Bench, TuneWritesAPlan) {
  const std::string out = Call({"bench", "--arch", "lenet5", "--steps", "1",
                                "--batch-size", "4", "--tune", "plan.txt"});
  EXPECT_THAT(out, HasSubstr("plan.txt written"));
  // Six channels fill no vector: there is one choice.
  EXPECT_THAT(ReadAll(scratch_ / "plan.txt"),
              HasSubstr("conv1 direct direct direct\n"));
  Call({"train", "--arch", "lenet5", "--dataset", "shapes", "--shapes-count",
        "8", "--max-steps", "1", "--kernel-plan", "plan.txt"});
  EXPECT_THAT(ReadAll(scratch_ / "run" / "run.json"),
              HasSubstr("conv1 direct direct direct"));
}

TEST_F(Bench, RefusesAPlanThatMakesNoSense) {
  WriteAll(scratch_ / "plan.txt", "slice 4\nconv1 direct fast direct\n");
  const Outcome outcome = RunProgram({"train", "--arch", "lenet5", "--dataset",
                                      "shapes", "--kernel-plan", "plan.txt"},
                                     {.folder = scratch_.path()});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("kernel plan, line 2"));
}

}  // namespace
}  // namespace alexnet::testing
