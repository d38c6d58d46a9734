// SPDX-License-Identifier: MIT
// Whole runs with what is beyond the note's recipe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alexnet/error.h"
#include "engine/golden.h"
#include "engine/relative_error.h"
#include "train/checkpoint.h"
#include "train/files.h"
#include "train/recipes.h"
#include "train/small_run.h"

namespace alexnet {
namespace {

using testing::HasSubstr;
using testing_support::RelativeError;

std::vector<float> Tensor(const TensorSource& source, const std::string& name) {
  for (size_t i = 0; i < source.tensors().size(); ++i) {
    if (source.tensors()[i].name != name) continue;
    std::vector<float> values(
        static_cast<size_t>(source.tensors()[i].elements()));
    source.Read(i, values);
    return values;
  }
  throw std::logic_error(name);
}

ModelMetadata Metadata() {
  ModelMetadata metadata;
  metadata.arch = "lenet5";
  metadata.input = {3, 32, 32};
  return metadata;
}

// Real engines, eight steps in all.
RunOptions RealRun(const TempFolder& folder, const std::string& name) {
  return SmallRun(folder.path() / name);
}

TEST(TrainingRun, RecordsTheRecipe) {
  const TempFolder folder;
  RunTraining(SmallRun(folder.path()), WithFakeEngine());
  const auto run = nlohmann::json::parse(ReadAll(folder.path() / kRunFile));
  EXPECT_EQ(run["recipe"], std::string(FindRecipe("note").text));
}

TEST(TrainingRun, EveryStateIsResumedExactly) {
  for (const std::string optimizer : {"sgd", "caffe-sgd", "adamw"}) {
    const TempFolder folder;
    RunOptions options = RealRun(folder, "whole");
    options.optimizer = optimizer;
    options.schedule = "onecycle";
    options.ema = 0.9;
    options.clip_norm = 0.5;
    options.label_smoothing = 0.1;
    options.accumulate = 2;
    options.batch_size = 4;
    const RunResult whole = RunTraining(options);
    options.out = (folder.path() / "parts").string();
    options.max_steps = 0;
    std::stop_source stop;
    RunCallbacks callbacks;
    callbacks.stop = stop.get_token();
    callbacks.on_step = [&](const StepReport& report) {
      if (report.position.step == 3) stop.request_stop();
    };
    RunTraining(options, callbacks);
    RunOptions resumed;
    resumed.out = options.out;
    resumed.resume = true;
    const RunResult parts = RunTraining(resumed);
    EXPECT_EQ(whole.position.step, 8);
    EXPECT_EQ(ReadAll(parts.weights), ReadAll(whole.weights)) << optimizer;
  }
}

TEST(TrainingRun, AccumulatedBatchesAreOneLargeBatch) {
  const TempFolder folder;
  RunOptions options = RealRun(folder, "large");
  options.arch = "cifar-small";  // it has dropout
  options.shapes_count = 12;
  options.epochs = 1;
  options.batch_size = 8;
  options.device = "auto";
  options.lr = 1e-4;
  const RunResult large = RunTraining(options);
  options.out = (folder.path() / "small").string();
  options.batch_size = 2;
  options.accumulate = 4;
  const RunResult small = RunTraining(options);
  EXPECT_EQ(small.position.step, large.position.step);
  EXPECT_EQ(small.options.slice_size, 2);
  const auto a = OpenWeights(large.weights);
  const auto b = OpenWeights(small.weights);
  // Adam turns roundings of tiny gradients into steps, of 1e-4 at most.
  for (const TensorInfo& tensor : a->tensors()) {
    if (!tensor.name.ends_with("weight")) continue;
    EXPECT_LE(RelativeError(Tensor(*b, tensor.name), Tensor(*a, tensor.name)),
              1e-3)
        << tensor.name;
  }
}

TEST(TrainingRun, TheAverageIsSaved) {
  const TempFolder folder;
  RunOptions options = RealRun(folder, "a");
  options.ema = 0.5;
  const RunResult averaged = RunTraining(options);
  options.ema = 0;
  options.out = (folder.path() / "b").string();
  const RunResult last = RunTraining(options);
  EXPECT_NE(ReadAll(averaged.weights), ReadAll(last.weights));
}

TEST(TrainingRun, EarlyStopKeepsTheBest) {
  const TempFolder folder;
  RunOptions options = SmallRun(folder.path());
  options.val_fraction = 0.2;
  options.epochs = 9;
  options.early_stop = 2;  // the fake validation never gets better
  const RunResult result = RunTraining(options, WithFakeEngine());
  EXPECT_EQ(result.end, TrainEnd::kFinished);
  EXPECT_EQ(result.position.epoch, 3);
  EXPECT_EQ(result.position.best.epoch, 0);
  EXPECT_EQ(ReadAll(result.weights), ReadAll(folder.path() / kBestFile));
  options = SmallRun(folder.path() / "one");
  options.val_fraction = 0.2;
  options.epochs = 1;
  const RunResult one = RunTraining(options, WithFakeEngine());
  EXPECT_EQ(Tensor(*OpenWeights(one.weights), "fc3.bias"),
            Tensor(*OpenWeights(result.weights), "fc3.bias"));
}

TEST(TrainingRun, BeginsWithPretrainedWeightsAndAnotherHead) {
  const TempFolder folder;
  EngineSpec spec;
  spec.model = MakePreset("lenet5", {.classes = 3});
  spec.source = spec.model.input;
  spec.device = Device::kReference;
  const auto teacher = MakeEngine(spec);
  Initialize(*teacher, 99);
  const auto file = folder.path() / "teacher.pth";
  SaveWeights(file, *ParametersOf(*teacher), Metadata());
  RunOptions options = RealRun(folder, "run");
  options.pretrained = file.string();
  options.freeze = "conv1,conv2";
  options.lr = 1e-4;
  std::string messages;
  RunCallbacks callbacks;
  callbacks.on_message = [&](const std::string& text) { messages += text; };
  const RunResult result = RunTraining(options, callbacks);
  EXPECT_THAT(messages, HasSubstr("new: fc3.weight, fc3.bias"));
  const auto saved = OpenWeights(result.weights);
  for (const std::string name : {"conv1.weight", "conv2.bias"}) {
    EXPECT_EQ(Tensor(*saved, name), Tensor(*ParametersOf(*teacher), name));
  }
  EXPECT_NE(Tensor(*saved, "fc1.weight"),
            Tensor(*ParametersOf(*teacher), "fc1.weight"));
  EXPECT_LE(RelativeError(Tensor(*saved, "fc1.weight"),
                          Tensor(*ParametersOf(*teacher), "fc1.weight")),
            0.9);
  EXPECT_EQ(Tensor(*saved, "fc3.bias").size(), 10U);
}

TEST(TrainingRun, EarlyStopNeedsImagesToStopBy) {
  const TempFolder folder;
  RunOptions options = RealRun(folder, "run");
  options.val_fraction = 0;
  options.early_stop = 2;
  EXPECT_THAT([&] { RunTraining(options); },
              testing::ThrowsMessage<UsageError>(HasSubstr("val-fraction")));
}

TEST(TrainingRun, PretrainedWeightsOfAnotherNetworkAreRefused) {
  const TempFolder folder;
  EngineSpec spec;
  spec.model = MakePreset("lenet5");
  std::get<LinearSpec>(spec.model.layers[9].op).out_features = 85;
  std::get<LinearSpec>(spec.model.layers[11].op).in_features = 85;
  spec.source = spec.model.input;
  spec.device = Device::kReference;
  const auto file = folder.path() / "other.pth";
  SaveWeights(file, *ParametersOf(*MakeEngine(spec)), Metadata());
  RunOptions options = RealRun(folder, "run");
  options.pretrained = file.string();
  EXPECT_THAT([&] { RunTraining(options); },
              testing::ThrowsMessage<Error>(HasSubstr("fc2.weight")));
}

TEST(TrainingRun, ClassesAreThoseOfTheImages) {
  const TempFolder folder;
  RunOptions options = SmallRun(folder.path());
  options.classes = 5;
  EXPECT_THROW(RunTraining(options, WithFakeEngine()), UsageError);
}

}  // namespace
}  // namespace alexnet
