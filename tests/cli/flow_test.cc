// SPDX-License-Identifier: MIT
// The verbs one after the other, on a small network and drawn images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "alexnet/dataset.h"
#include "cli/program.h"
#include "image/image_file.h"

namespace alexnet::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Flow : public ::testing::Test {
 protected:
  Outcome Call(const std::vector<std::string>& arguments) {
    Outcome outcome = RunProgram(arguments, {.folder = scratch_.path()});
    EXPECT_EQ(outcome.exit_code, 0) << arguments[0] << ": " << outcome.err;
    return outcome;
  }

  Outcome Train(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "train",  "--arch",    "lenet5",     "--dataset",
        "shapes", "--epochs",  "1",          "--shapes-count",
        "640",    "--shuffle", "--threads=1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Call(arguments);
  }

  void WriteShape(const fs::path& path, int64_t index) {
    const auto images = MakeShapes({.count = 20}, Split::kTest);
    std::vector<uint8_t> planes(3072);
    images->Read(index, planes);
    WritePng(path, FromPlanar(planes, {32, 32}));
  }

  const Scratch scratch_;
};

TEST_F(Flow, TrainWritesTheRunFolder) {
  const Outcome outcome = Train();
  EXPECT_THAT(outcome.out, ContainsRegex("0 0, Loss: [0-9]\\.[0-9]{4}\n"));
  EXPECT_THAT(outcome.out, HasSubstr("Finished Training\n"));
  EXPECT_THAT(outcome.out,
              HasSubstr("model has been saved to run/params.pth\n"));
  for (const char* file : {"params.pth", "steps.csv", "epochs.csv", "run.json",
                           "loss.png", "loss.svg"}) {
    EXPECT_TRUE(fs::exists(scratch_ / "run" / file)) << file;
  }
}

TEST_F(Flow, PrintsALineEvery100Steps) {
  const Outcome outcome = Train({"--batch-size=4", "--epochs=2"});
  for (const char* line :
       {"0 0, Loss: ", "0 100, Loss: ", "1 0, Loss: ", "1 100, Loss: "}) {
    EXPECT_THAT(outcome.out, HasSubstr(line));
  }
  EXPECT_THAT(outcome.out, Not(HasSubstr("0 50, Loss")));
}

TEST_F(Flow, EvalTellsTheSameInTextAndJson) {
  Train();
  const Outcome text =
      Call({"eval", "--threads=1", "--dataset", "shapes", "--logits",
            "logits.npy", "--confusion", "confusion.png"});
  const auto json = nlohmann::json::parse(
      Call({"eval", "--threads=1", "--dataset", "shapes", "--json"}).out);
  EXPECT_EQ(json.at("images"), 2000);
  EXPECT_EQ(json.at("classes").size(), 10U);
  const int64_t correct = std::llround(json.at("top1").get<double>() * 2000);
  int64_t diagonal = 0;
  for (size_t i = 0; i < 10; ++i) {
    diagonal += json.at("confusion").at(i).at(i).get<int64_t>();
  }
  EXPECT_EQ(diagonal, correct);
  EXPECT_THAT(text.out, HasSubstr("The accuracy of total 2000 images: "));
  EXPECT_TRUE(fs::exists(scratch_ / "confusion.png"));
  const std::string npy = ReadAll(scratch_ / "logits.npy");
  EXPECT_THAT(npy, StartsWith("\x93NUMPY"));
  EXPECT_THAT(npy.substr(0, 128), HasSubstr("(2000, 10)"));
}

TEST_F(Flow, PredictGoesOnAfterABadPicture) {
  Train();
  WriteShape(scratch_ / "a.png", 3);
  WriteAll(scratch_ / "b.png", "no picture");
  const Outcome good = Call({"predict", "a.png", "--top", "3"});
  EXPECT_THAT(good.out, StartsWith("a.png\n"));
  const Outcome outcome = RunProgram({"predict", "b.png", "a.png", "--json"},
                                     {.folder = scratch_.path()});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("b.png"));
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_TRUE(json.at(0).contains("error"));
  const auto& guesses = json.at(1).at("predictions");
  EXPECT_EQ(guesses.size(), 5U);
  EXPECT_GE(guesses.at(0).at("probability"), guesses.at(1).at("probability"));
}

TEST_F(Flow, EveryVerbThatComputesTellsWhyNoGpuIsUsed) {
  const std::string training = Train().out;
  const bool gpu = training.find(" on cuda, ") != std::string::npos;
  const ::testing::Matcher<std::string> told =
      HasSubstr(gpu ? "" : "no GPU is used: ");
  EXPECT_THAT(training, told);
  WriteShape(scratch_ / "a.png", 3);
  EXPECT_THAT(Call({"predict", "a.png"}).err, told);
  EXPECT_THAT(Call({"eval", "--threads=1", "--dataset", "shapes"}).err, told);
  EXPECT_THAT(Call({"bench", "--arch=lenet5", "--threads=1", "--steps=1"}).err,
              told);
  EXPECT_THAT(Call({"predict", "a.png", "--device", "cpu"}).err,
              Not(HasSubstr("no GPU")));
}

// predict and eval must prepare an image in the same way.
TEST_F(Flow, PredictAgreesWithEval) {
  Train();
  Call(
      {"eval", "--threads=1", "--dataset", "shapes", "--logits", "logits.npy"});
  const std::string npy = ReadAll(scratch_ / "logits.npy");
  WriteShape(scratch_ / "a.png", 7);
  const auto json =
      nlohmann::json::parse(Call({"predict", "a.png", "--json"}).out);
  std::vector<float> logits(20000);
  std::memcpy(logits.data(), npy.data() + npy.size() - 80000, 80000);
  const auto row = logits.begin() + 70;
  EXPECT_EQ(json.at(0).at("predictions").at(0).at("label"),
            std::max_element(row, row + 10) - row);
}

// The weight file alone tells how a picture is cut: nothing but its middle
// counts.
TEST_F(Flow, PredictAndEvalCutPicturesAsTrainingDid) {
  const auto write = [&](const std::string& name, int64_t width, int64_t height,
                         int64_t left, int64_t top, uint8_t around) {
    Image image{width, height, {}};
    image.rgb.assign(static_cast<size_t>(3 * width * height), around);
    for (int64_t i = 0; i < 24 * 24; ++i) {
      const int64_t at = (top + i / 24) * width + left + i % 24;
      for (int64_t c = 0; c < 3; ++c) {
        image.rgb[static_cast<size_t>(3 * at + c)] =
            static_cast<uint8_t>(i * 37 + c);
      }
    }
    fs::create_directories((scratch_ / name).parent_path());
    WritePng(scratch_ / name, image);
  };
  for (const char* part : {"train", "test"}) {
    for (const char* name : {"x/1.png", "x/2.png", "y/1.png", "y/2.png"}) {
      write(std::string("set/") + part + "/" + name, 48, 40, 12, 8, 90);
    }
  }
  Call({"train", "--arch=lenet5", "--dataset=folder", "--data=set",
        "--image-size=32", "--eval-crop=40", "--augment=patch:24", "--epochs=1",
        "--threads=1"});
  write("wide.png", 60, 40, 18, 8, 0);
  write("high.png", 40, 70, 8, 23, 255);
  const auto json = nlohmann::json::parse(
      Call({"predict", "wide.png", "high.png", "set/test/x/1.png", "--json"})
          .out);
  EXPECT_EQ(json.at(0).at("predictions"), json.at(2).at("predictions"));
  EXPECT_EQ(json.at(1).at("predictions"), json.at(2).at("predictions"));
  const auto logits = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"eval",       "--dataset=folder",
                                          "--data=set", "--threads=1",
                                          "--logits",   "logits.npy"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Call(arguments);
    return ReadAll(scratch_ / "logits.npy");
  };
  const std::string same =
      logits({"--image-size=32", "--eval-crop=40", "--augment=patch:24"});
  EXPECT_EQ(logits({}), same);
  EXPECT_NE(logits({"--eval-crop=0"}), same);
}

TEST_F(Flow, ConvertGoesRound) {
  Train();
  Call({"convert", "run/params.pth", "a.safetensors"});
  Call({"convert", "a.safetensors", "b.pth"});
  EXPECT_EQ(ReadAll(scratch_ / "run/params.pth"), ReadAll(scratch_ / "b.pth"));
  const auto before = nlohmann::json::parse(
      Call({"eval", "--threads=1", "--dataset=shapes", "--json"}).out);
  const auto after =
      nlohmann::json::parse(Call({"eval", "--threads=1", "--dataset=shapes",
                                  "--json", "--weights=a.safetensors"})
                                .out);
  EXPECT_EQ(before.at("confusion"), after.at("confusion"));
  EXPECT_EQ(before.at("loss"), after.at("loss"));
}

TEST_F(Flow, RunTrainsOnceAndThenLoads) {
  const std::vector<std::string> arguments = {
      "run",      "--arch", "lenet5",         "--dataset", "shapes",
      "--epochs", "1",      "--shapes-count", "640",       "--threads=1"};
  const Outcome first = Call(arguments);
  EXPECT_THAT(first.out, HasSubstr("Finished Training\n"));
  const Outcome second = Call(arguments);
  EXPECT_THAT(second.out,
              StartsWith("load model parameters from run/params.pth\n"));
  EXPECT_THAT(second.out, Not(HasSubstr("Finished Training")));
  const auto last_line = [](const std::string& text) {
    return text.substr(text.rfind('\n', text.size() - 2) + 1);
  };
  EXPECT_THAT(last_line(first.out),
              ContainsRegex("^The accuracy of total 2000 images: [0-9.]+%\n$"));
  EXPECT_EQ(last_line(first.out), last_line(second.out));
  EXPECT_TRUE(fs::exists(scratch_ / "run" / "confusion.png"));
}

TEST_F(Flow, RunSaysIfARecipeTrainsNothing) {
  Train({"--recipe", "quick"});
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"run", "--threads=1"});
    return Call(more).err;
  };
  constexpr char kWarning[] = "--recipe best trains nothing";
  EXPECT_THAT(run({"--recipe=best", "--dataset=shapes"}), HasSubstr(kWarning));
  EXPECT_THAT(run({"--recipe=quick"}), Not(HasSubstr("trains nothing")));
  EXPECT_THAT(run({"--dataset=shapes"}), Not(HasSubstr("trains nothing")));
  EXPECT_THAT(
      run({"--recipe=best", "--dataset=shapes", "--weights=run/params.pth"}),
      Not(HasSubstr("trains nothing")));
  WriteAll(scratch_ / "run/run.json", "{\"options\": [");
  EXPECT_THAT(run({"--recipe=best", "--dataset=shapes"}), HasSubstr(kWarning));
  // What a folder tells of its own run is not about weights beside it.
  WriteAll(scratch_ / "run/run.json", R"({"options": {"recipe": "best"}})");
  fs::rename(scratch_ / "run/params.pth", scratch_ / "params.pth");
  EXPECT_THAT(run({"--recipe=best", "--dataset=shapes"}), HasSubstr(kWarning));
}

TEST_F(Flow, RunLoadsParametersOfTheWorkingDirectory) {
  Train({"--out", "elsewhere"});
  fs::copy(scratch_ / "elsewhere/params.pth", scratch_ / "params.pth");
  const Outcome outcome = Call({"run", "--dataset", "shapes", "--threads=1"});
  EXPECT_THAT(outcome.out,
              StartsWith("load model parameters from params.pth\n"));
  EXPECT_FALSE(fs::exists(scratch_ / "run"));
}

TEST_F(Flow, RunGoesOnWithAnInterruptedTraining) {
  Train({"--max-steps", "5"});
  fs::remove(scratch_ / "run/params.pth");
  const Outcome outcome = Call({"run", "--max-steps", "20"});
  EXPECT_THAT(outcome.out, HasSubstr("going on from step 5"));
  EXPECT_THAT(outcome.out, HasSubstr("The accuracy of total 2000 images"));
}

TEST_F(Flow, PlotDrawsWhereItIsTold) {
  Train({"--val-fraction", "0.1", "--epochs", "2"});
  Call({"plot", "run", "-o", "curve.svg", "curve.png"});
  EXPECT_THAT(ReadAll(scratch_ / "curve.svg"), HasSubstr("<svg"));
  EXPECT_THAT(ReadAll(scratch_ / "curve.png"), StartsWith("\x89PNG"));
}

// LeNet-5 does not resize: the picture holds the very pixels of the images.
TEST_F(Flow, ShowDrawsWhatTheNetworkSees) {
  Call({"show", "batch.png", "--arch=lenet5", "--dataset=shapes",
        "--batch-size=1", "--split=test", "--columns=1"});
  const Image picture = ReadImage(scratch_ / "batch.png");
  const auto images = MakeShapes({.count = 2000}, Split::kTest);
  std::vector<uint8_t> planes(3072);
  images->Read(0, planes);
  const Image expected = FromPlanar(planes, {32, 32});
  std::set<std::vector<uint8_t>> drawn;
  for (size_t i = 0; i + 3 <= picture.rgb.size(); i += 3) {
    drawn.insert({picture.rgb[i], picture.rgb[i + 1], picture.rgb[i + 2]});
  }
  for (size_t i = 0; i < expected.rgb.size(); i += 3) {
    EXPECT_TRUE(drawn.contains(
        {expected.rgb[i], expected.rgb[i + 1], expected.rgb[i + 2]}));
  }
}

}  // namespace
}  // namespace alexnet::testing
