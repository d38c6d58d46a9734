// SPDX-License-Identifier: MIT
// What the program makes of its arguments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"

namespace alexnet::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Outcome Call(const std::vector<std::string>& arguments) {
  const Scratch scratch;
  return RunProgram(arguments, {.folder = scratch.path()});
}

TEST(CommandLine, SaysItsVersion) {
  const Outcome outcome = Call({"--version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, StartsWith("alexnet "));
}

TEST(CommandLine, EveryVerbHasHelp) {
  const Outcome top = Call({"--help"});
  EXPECT_EQ(top.exit_code, 0);
  for (const char* verb :
       {"run", "train", "eval", "predict", "show", "plot", "info", "convert"}) {
    EXPECT_THAT(top.out, HasSubstr(verb));
    const Outcome outcome = Call({verb, "--help"});
    EXPECT_EQ(outcome.exit_code, 0) << verb;
    EXPECT_THAT(outcome.out, HasSubstr("--help")) << verb;
    EXPECT_THAT(outcome.err, IsEmpty()) << verb;
  }
}

TEST(CommandLine, NoVerbIsAUsageError) {
  const Outcome outcome = Call({});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err,
            "alexnet: expected a verb; alexnet --help lists them\n");
}

TEST(CommandLine, SuggestsTheVerb) {
  const Outcome outcome = Call({"trian", "--epochs", "1"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "alexnet: trian: unknown verb; did you mean train?\n");
}

TEST(CommandLine, SuggestsTheOption) {
  const Outcome outcome = Call({"train", "--epoch", "1"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err,
            "alexnet: train: unknown option --epoch; did you mean --epochs?\n");
  EXPECT_THAT(Call({"info", "--jsn=1"}).err, HasSubstr("mean --json?"));
  EXPECT_THAT(Call({"run", "--batchsize=8"}).err, HasSubstr("--batch-size?"));
}

TEST(CommandLine, RefusesValuesThatMakeNoSense) {
  const std::vector<std::vector<std::string>> calls = {
      {"train", "--epochs", "many", "--dataset", "shapes"},
      {"train", "--batch-size", "0", "--dataset", "shapes"},
      {"train", "--lr", "-1", "--dataset", "shapes"},
      {"train", "--dataset", "svhn"},
      {"train", "--recipe", "slow"},
      {"train", "--device", "tpu", "--dataset", "shapes"},
      {"train", "--mean", "0.5,0.5", "--dataset", "shapes"},
      {"info", "--arch", "vgg"},
      {"info", "--classes", "0"},
      {"info", "extra"},
      {"predict"},
      {"convert", "a.pth"},
      {"show", "--split", "both"},
  };
  for (const auto& call : calls) {
    const Outcome outcome = Call(call);
    EXPECT_EQ(outcome.exit_code, 2) << call[0] << " " << call.back();
    EXPECT_THAT(outcome.err, StartsWith("alexnet: ")) << call[0];
    EXPECT_THAT(outcome.out, IsEmpty()) << call[0];
  }
}

TEST(Info, KnowsTheNetworkOfTheNote) {
  const Outcome outcome = Call({"info", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("arch"), "note");
  EXPECT_EQ(json.at("parameters"), 58322314);
  // 96·55²·363 + 256·27²·2400 + 384·13²·2304 + 384·13²·3456 + 256·13²·3456
  // + 9216·4096 + 4096² + 40960
  EXPECT_EQ(json.at("macs"), 1131201056);
  const auto& layers = json.at("layers");
  EXPECT_EQ(layers.at(0).at("output"), (std::vector<int>{96, 55, 55}));
  EXPECT_EQ(layers.at(0).at("parameters"), 96 * 363 + 96);
  EXPECT_EQ(layers.back().at("output"), (std::vector<int>{10}));
}

TEST(Info, CountsOtherClassesAndNetworks) {
  const auto json =
      nlohmann::json::parse(Call({"info", "--arch=lenet5", "--json"}).out);
  EXPECT_EQ(json.at("parameters"), 62006);
  const auto more =
      nlohmann::json::parse(Call({"info", "--classes", "1000", "--json"}).out);
  EXPECT_EQ(more.at("parameters"), 58322314 + 990 * 4097);
}

TEST(Info, PrintsTheTableOfTheNote) {
  const Outcome outcome = Call({"info"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* text : {"features.0", "[b,96,55,55]", "[b,256,6,6]",
                           "classifier.6", "58,322,314"}) {
    EXPECT_THAT(outcome.out, HasSubstr(text));
  }
}

TEST(Info, TellsHowTheWeightsBegin) {
  const std::string table = Call({"info", "--arch", "caffenet"}).out;
  EXPECT_THAT(table,
              HasSubstr("N(0, 0.005), bias 1; bias rate × 2; bias decay × 0"));
  EXPECT_THAT(Call({"info"}).out, HasSubstr("U(±1/√fan_in)"));
  const auto json = nlohmann::json::parse(
      Call({"info", "--arch", "alexnet2012-source", "--json"}).out);
  EXPECT_EQ(json.at("layers").at(9).at("init"), "N(0, 0.03), bias 0");
}

TEST(Recipe, PrintsOneOrTheList) {
  const Outcome list = Call({"recipe"});
  EXPECT_EQ(list.exit_code, 0);
  for (const char* name :
       {"note", "quick", "paper2012", "caffe", "best", "cifar-small"}) {
    EXPECT_THAT(list.out, HasSubstr(name));
    const Outcome one = Call({"recipe", name});
    EXPECT_EQ(one.exit_code, 0);
    EXPECT_THAT(one.out, StartsWith("# "));
  }
  EXPECT_THAT(list.out, HasSubstr("\n  best         the note's network"));
  EXPECT_THAT(list.out, HasSubstr("\n  cifar-small  the network for images"));
  EXPECT_THAT(Call({"recipe", "caffe"}).out,
              HasSubstr("optimizer = caffe-sgd\n"));
  EXPECT_EQ(Call({"recipe", "slow"}).exit_code, 2);
}

}  // namespace
}  // namespace alexnet::testing
