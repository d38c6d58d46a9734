// SPDX-License-Identifier: MIT
// Whole runs: what they leave, what they refuse, and that they go on exactly.
#include "train/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "alexnet/error.h"
#include "train/checkpoint.h"
#include "train/files.h"
#include "train/run_folder.h"
#include "train/small_run.h"

namespace alexnet {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::ThrowsMessage;

nlohmann::json RunJson(const std::filesystem::path& folder) {
  return nlohmann::json::parse(ReadAll(folder / kRunFile));
}

// Runs until step `stop`; the folder is then that of an interrupted run.
RunResult RunUntil(int64_t stop, const RunOptions& options,
                   RunCallbacks callbacks) {
  std::stop_source source;
  callbacks.stop = source.get_token();
  callbacks.on_step = [&](const StepReport& report) {
    if (report.position.step == stop) source.request_stop();
  };
  return RunTraining(options, callbacks);
}

RunOptions Resumed(const std::filesystem::path& out) {
  RunOptions options;
  options.out = out.string();
  options.resume = true;
  return options;
}

TEST(Run, LeavesEveryFile) {
  const TempFolder folder;
  RunOptions options = SmallRun(folder.path());
  options.val_fraction = 0.2;
  const RunResult result = RunTraining(options, WithFakeEngine());
  EXPECT_EQ(result.end, TrainEnd::kFinished);
  EXPECT_FALSE(result.resumed);
  EXPECT_EQ(result.weights, folder.path() / kWeightsFile);
  EXPECT_EQ(result.position.step, 6);  // 24 images, 8 a step, twice
  EXPECT_EQ(result.options.dropout, 0.5);
  ASSERT_TRUE(result.last_epoch);
  EXPECT_EQ(result.last_epoch->validation->images, 6);
  EXPECT_EQ(
      folder.Names(),
      (std::set<std::string>{".lock", kCheckpointFile, kPreviousCheckpointFile,
                             kEpochsFile, kStepsFile, kRunFile, kWeightsFile}));
  const auto weights = OpenWeights(result.weights);
  ASSERT_TRUE(weights->metadata());
  EXPECT_EQ(weights->metadata()->arch, "lenet5");
  EXPECT_EQ(weights->metadata()->class_names.size(), 10U);
  EXPECT_EQ(weights->tensors().size(), 10U);
  const nlohmann::json run = RunJson(folder.path());
  EXPECT_EQ(run["result"], "finished");
  EXPECT_EQ(run["format_version"], 1);
  EXPECT_EQ(run["steps"], 6);
  EXPECT_EQ(run["options"]["batch-size"], 8);
  EXPECT_EQ(run["options"]["seed"], 3);
  EXPECT_EQ(run["engine"]["kernel_plan"], "fake plan");
  EXPECT_EQ(run["images"]["validation"], 6);
  EXPECT_EQ(run["parameters"], 62'006);
  EXPECT_FALSE(run["machine"]["cpu"].get<std::string>().empty());
  EXPECT_TRUE(run["ended"].is_string());
}

TEST(Run, MakesNoCheckpointsInARunOfSecondsButTheLast) {
  for (const int64_t every : {0, 1000}) {
    const TempFolder folder;
    RunOptions options = SmallRun(folder.path());
    options.checkpoint_every = every;
    RunTraining(options, WithFakeEngine());
    EXPECT_TRUE(std::filesystem::exists(folder.path() / kCheckpointFile));
    // Where steps are counted, the first epoch's end has one, too.
    EXPECT_EQ(std::filesystem::exists(folder.path() / kPreviousCheckpointFile),
              every > 0);
  }
}

TEST(Run, StoppedLeavesACheckpointAndNoWeights) {
  const TempFolder folder;
  const RunResult result =
      RunUntil(3, SmallRun(folder.path()), WithFakeEngine());
  EXPECT_EQ(result.end, TrainEnd::kStopped);
  EXPECT_EQ(result.position.step, 3);
  EXPECT_THAT(result.weights.string(), IsEmpty());
  EXPECT_THAT(folder.Names(), Contains(kCheckpointFile));
  EXPECT_THAT(folder.Names(), Not(Contains(kWeightsFile)));
  EXPECT_EQ(RunJson(folder.path())["result"], "stopped");
}

TEST(Run, ResumedAtAnyStepWritesTheSameBytes) {
  const TempFolder whole;
  RunOptions options = SmallRun(whole.path());
  options.val_fraction = 0.1;  // 27 images: four steps, the last of three
  RunTraining(options, WithFakeEngine());
  const std::string weights = ReadAll(whole.path() / kWeightsFile);
  for (const int64_t threads : {1, 2, 5}) {
    for (int64_t stop = 1; stop < kSmallRunSteps; stop += threads) {
      const TempFolder folder;
      options.out = folder.path().string();
      options.loader_threads = threads;
      RunUntil(stop, options, WithFakeEngine());
      RunResult result =
          RunUntil(stop + 2, Resumed(folder.path()), WithFakeEngine());
      if (result.end == TrainEnd::kStopped) {
        result = RunTraining(Resumed(folder.path()), WithFakeEngine());
      }
      EXPECT_TRUE(result.resumed);
      EXPECT_EQ(result.options.loader_threads, threads);
      EXPECT_EQ(ReadAll(folder.path() / kWeightsFile), weights)
          << "stopped after " << stop;
      EXPECT_EQ(StepsWithoutTimes(folder.path()),
                StepsWithoutTimes(whole.path()));
      EXPECT_EQ(EpochsWithoutTimes(folder.path()),
                EpochsWithoutTimes(whole.path()));
    }
  }
}

// A real engine, dropout on.
TEST(Run, ResumedWithTheReferenceEngineWritesTheSameBytes) {
  RunCallbacks callbacks;
  callbacks.make_engine = [](EngineSpec spec) {
    spec.model = {.arch = "small",
                  .input = {3, 12, 12},
                  .classes = 10,
                  .layers = {{"conv", Conv2dSpec{.in_channels = 3,
                                                 .out_channels = 4,
                                                 .kernel = {3, 3},
                                                 .stride = {2, 2}}},
                             {"relu", ReluSpec{}},
                             {"flatten", FlattenSpec{}},
                             {"drop", DropoutSpec{0.5}},
                             {"fc", LinearSpec{100, 10}}}};
    return MakeEngine(spec);
  };
  const TempFolder whole;
  RunTraining(SmallRun(whole.path()), callbacks);
  const std::string weights = ReadAll(whole.path() / kWeightsFile);
  for (const int64_t stop : {1, 3, 4, 7}) {
    const TempFolder folder;
    RunUntil(stop, SmallRun(folder.path()), callbacks);
    RunTraining(Resumed(folder.path()), callbacks);
    EXPECT_EQ(ReadAll(folder.path() / kWeightsFile), weights) << stop;
  }
}

TEST(Run, AnEarlierRunIsNotLostByMistake) {
  const TempFolder folder;
  const RunOptions options = SmallRun(folder.path());
  RunUntil(3, options, WithFakeEngine());
  EXPECT_THAT([&] { RunTraining(options, WithFakeEngine()); },
              ThrowsMessage<Error>(HasSubstr("interrupted run")));
  RunTraining(Resumed(folder.path()), WithFakeEngine());
  EXPECT_THAT([&] { RunTraining(options, WithFakeEngine()); },
              ThrowsMessage<Error>(HasSubstr("finished run")));
  const std::string weights = ReadAll(folder.path() / kWeightsFile);
  RunOptions again = options;
  again.overwrite = true;
  again.seed = 4;
  EXPECT_FALSE(RunTraining(again, WithFakeEngine()).resumed);
  EXPECT_NE(ReadAll(folder.path() / kWeightsFile), weights);
}

TEST(Run, OverwritesOnlyOnceEverythingElseIsRight) {
  const TempFolder folder;
  RunOptions options = SmallRun(folder.path());
  RunTraining(options, WithFakeEngine());
  options.overwrite = true;
  options.dataset = "cifar10";
  options.data = (folder.path() / "nowhere").string();
  EXPECT_THAT([&] { RunTraining(options, WithFakeEngine()); },
              ThrowsMessage<Error>(HasSubstr("--dataset shapes")));
  EXPECT_THAT(folder.Names(), Contains(kWeightsFile));
}

TEST(Run, WithNothingToResumeBeginsAnewAndSaysSo) {
  const TempFolder folder;
  const TempFolder whole;
  RunOptions options = SmallRun(folder.path());
  options.resume = true;
  std::string messages;
  RunCallbacks callbacks = WithFakeEngine();
  callbacks.on_message = [&](const std::string& m) { messages += m; };
  EXPECT_FALSE(RunTraining(options, callbacks).resumed);
  EXPECT_THAT(messages, HasSubstr("nothing to resume"));
  RunTraining(SmallRun(whole.path()), WithFakeEngine());
  EXPECT_EQ(ReadAll(folder.path() / kWeightsFile),
            ReadAll(whole.path() / kWeightsFile));
}

TEST(Run, AFolderInUseIsRefused) {
  const TempFolder folder;
  const RunFolder other(folder.path());
  EXPECT_THAT([&] { RunTraining(SmallRun(folder.path()), WithFakeEngine()); },
              ThrowsMessage<Error>(HasSubstr("in use")));
}

TEST(Run, NaNLeavesTheCheckpointAlone) {
  const TempFolder folder;
  RunCallbacks callbacks;
  callbacks.make_engine = [](const EngineSpec& spec) {
    auto engine = std::make_unique<FakeEngine>(spec);
    engine->nan_at_step = 4;
    return engine;
  };
  EXPECT_THROW(RunTraining(SmallRun(folder.path()), callbacks), NonFiniteError);
  EXPECT_EQ(RunJson(folder.path())["result"], "failed");
  EXPECT_THAT(RunJson(folder.path())["error"].get<std::string>(),
              HasSubstr("step 4"));
  EXPECT_THAT(folder.Names(), Not(Contains(kWeightsFile)));
  const std::string checkpoint = ReadAll(folder.path() / kCheckpointFile);
  EXPECT_THROW(RunTraining(Resumed(folder.path()), callbacks), NonFiniteError);
  EXPECT_EQ(ReadAll(folder.path() / kCheckpointFile), checkpoint);
  // It is that of step 2, from where a cured run goes on.
  const TempFolder whole;
  RunTraining(SmallRun(whole.path()), WithFakeEngine());
  RunTraining(Resumed(folder.path()), WithFakeEngine());
  EXPECT_EQ(ReadAll(folder.path() / kWeightsFile),
            ReadAll(whole.path() / kWeightsFile));
  EXPECT_EQ(StepsWithoutTimes(folder.path()), StepsWithoutTimes(whole.path()));
}

TEST(Run, ADamagedCheckpointCostsOneGeneration) {
  const TempFolder whole;
  RunTraining(SmallRun(whole.path()), WithFakeEngine());
  const TempFolder folder;
  RunUntil(5, SmallRun(folder.path()), WithFakeEngine());
  std::string bytes = ReadAll(folder.path() / kCheckpointFile);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  WriteAll(folder.path() / kCheckpointFile, bytes);
  std::string warnings;
  RunCallbacks callbacks = WithFakeEngine();
  callbacks.on_warning = [&](const std::string& w) { warnings += w; };
  RunTraining(Resumed(folder.path()), callbacks);
  EXPECT_THAT(warnings, HasSubstr(kCheckpointFile));
  EXPECT_EQ(ReadAll(folder.path() / kWeightsFile),
            ReadAll(whole.path() / kWeightsFile));
  EXPECT_EQ(StepsWithoutTimes(folder.path()), StepsWithoutTimes(whole.path()));
}

TEST(Run, ResumingReportsWhatIsChangedAndRefusesWhatMustNot) {
  const TempFolder folder;
  RunUntil(3, SmallRun(folder.path()), WithFakeEngine());
  RunOptions options = Resumed(folder.path());
  options.batch_size = 16;
  options.seed = 9;
  EXPECT_THAT([&] { RunTraining(options, WithFakeEngine()); },
              ThrowsMessage<UsageError>(testing::AllOf(
                  HasSubstr("batch-size: the checkpoint has 8, given 16"),
                  HasSubstr("seed: the checkpoint has 3, given 9"))));
  options = Resumed(folder.path());
  options.lr = 1e-4;
  std::vector<std::string> messages;
  RunCallbacks callbacks = WithFakeEngine();
  callbacks.on_message = [&](const std::string& m) { messages.push_back(m); };
  const RunResult result = RunTraining(options, callbacks);
  EXPECT_THAT(messages, Contains("lr: 0.01, now 1e-04"));
  EXPECT_EQ(result.options.lr, 1e-4);
}

// An engine that computes with `library`, by `plan`.
RunCallbacks WithLibrary(const std::string& library, const std::string& plan) {
  struct Engine : FakeEngine {
    using FakeEngine::FakeEngine;
    std::string library() const override { return name; }
    std::string kernel_plan() const override { return plan; }
    std::string name, plan;
  };
  RunCallbacks callbacks;
  callbacks.make_engine = [=](const EngineSpec& spec) {
    auto engine = std::make_unique<Engine>(spec);
    engine->name = library;
    engine->plan = plan;
    return engine;
  };
  return callbacks;
}

TEST(Run, ResumingWithOtherKernelsSaysSo) {
  const TempFolder folder;
  RunOptions first = SmallRun(folder.path());
  first.device = "reference";
  RunUntil(2, first, WithLibrary("kernels 1", "plan 1"));
  const auto said = [&](const char* library, const char* plan,
                        int64_t slice_size = 8,
                        const char* device = "reference") {
    std::vector<std::string> warnings;
    RunCallbacks callbacks = WithLibrary(library, plan);
    callbacks.on_warning = [&](const std::string& text) {
      warnings.push_back(text);
    };
    // Stops at once, and the checkpoint stays.
    std::stop_source stop;
    stop.request_stop();
    callbacks.stop = stop.get_token();
    RunOptions options = Resumed(folder.path());
    options.slice_size = slice_size;
    options.device = device;
    options.given = {"slice-size", "device"};
    RunTraining(options, callbacks);
    return warnings;
  };
  EXPECT_THAT(said("kernels 1", "plan 1"), IsEmpty());
  EXPECT_THAT(said("kernels 2", "plan 1"),
              Contains(HasSubstr("made with kernels 1, this process uses "
                                 "kernels 2: the result will differ")));
  EXPECT_THAT(said("kernels 1", "plan 2"),
              Contains(HasSubstr("algorithms that are not to be had here")));
  EXPECT_THAT(said("kernels 1", "plan 2", 4),
              Contains(HasSubstr("made with slices of 8 images, this process "
                                 "uses slices of 4")));
  EXPECT_THAT(said("kernels 1", "plan 2", 8, "cuda"),
              Contains(HasSubstr("made with device reference, this process "
                                 "uses device cuda")));
}

TEST(Run, AFinishedRunCanBeTrainedFurther) {
  const TempFolder whole;
  const TempFolder folder;
  RunOptions options = SmallRun(whole.path());
  options.epochs = 3;
  RunTraining(options, WithFakeEngine());
  RunTraining(SmallRun(folder.path()), WithFakeEngine());
  const std::string weights = ReadAll(folder.path() / kWeightsFile);
  EXPECT_EQ(RunTraining(Resumed(folder.path()), WithFakeEngine()).end,
            TrainEnd::kFinished);
  EXPECT_EQ(ReadAll(folder.path() / kWeightsFile), weights);
  RunOptions further = Resumed(folder.path());
  further.epochs = 3;
  RunUntil(10, further, WithFakeEngine());
  EXPECT_THAT(folder.Names(), Not(Contains(kWeightsFile)));
  RunTraining(Resumed(folder.path()), WithFakeEngine());
  EXPECT_EQ(ReadAll(folder.path() / kWeightsFile),
            ReadAll(whole.path() / kWeightsFile));
}

// They are stored, and a run may be resumed from elsewhere.
TEST(Run, PathsAreStoredAsAbsoluteOnes) {
  const TempFolder folder;
  RunOptions options = SmallRun(folder.path() / "run");
  options.cache = "cache";
  const RunResult result = RunTraining(options, WithFakeEngine());
  EXPECT_EQ(result.options.cache, std::filesystem::absolute("cache"));
}

TEST(Run, EveryListOfAFolderHasACacheOfItsOwn) {
  const TempFolder folder;
  std::ofstream(folder.path() / "1.ppm") << "P6 1 1 255\nabc";
  std::ofstream(folder.path() / "2.ppm") << "P6 1 1 255\nxyz";
  std::ofstream(folder.path() / "a.txt") << "1.ppm 0\n";
  std::ofstream(folder.path() / "b.txt") << "2.ppm 0\n";
  RunOptions options;
  options.arch = "lenet5";
  options.dataset = "list";
  options.cache = (folder.path() / "cache").string();
  for (const bool first : {true, false}) {
    for (const char* list : {"a.txt", "b.txt"}) {
      options.data = (folder.path() / list).string();
      std::string messages;
      LoadDataset(options, Split::kTrain,
                  [&](const std::string& text) { messages += text; });
      EXPECT_EQ(messages.empty(), !first) << list << ": " << messages;
    }
  }
}

class FakeWeights : public WeightFile {
 public:
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void Read(size_t, std::span<float>) const override {}
  const std::optional<ModelMetadata>& metadata() const override {
    return metadata_;
  }
  std::string format() const override { return "pth"; }

  std::vector<TensorInfo> tensors_{{"a", {7, 3}}, {"b", {7}}};
  std::optional<ModelMetadata> metadata_;
};

TEST(InferenceSpec, FollowsTheFileThenTheOptions) {
  FakeWeights file;
  EXPECT_THAT([&] { InferenceSpec(file, "f.pth", {}); },
              ThrowsMessage<UsageError>(HasSubstr("--arch")));
  InferenceOptions options;
  options.arch = "lenet5";
  EXPECT_EQ(InferenceSpec(file, "f.pth", options).model.classes, 7);
  options.classes = 10;
  EXPECT_EQ(InferenceSpec(file, "f.pth", options).model.classes, 10);
  file.metadata_ = {.arch = "lenet5",
                    .input = {3, 32, 32},
                    .class_names = {"x", "y", "z"},
                    .transform = {.mean = {0.1F, 0.2F, 0.3F}}};
  const EngineSpec spec = InferenceSpec(file, "f.pth", {});
  EXPECT_EQ(spec.model.classes, 3);
  EXPECT_EQ(spec.input, file.metadata_->transform);
  EXPECT_FALSE(spec.training);
  options.arch = "note";
  EXPECT_THAT([&] { InferenceSpec(file, "f.pth", options); },
              ThrowsMessage<UsageError>(
                  testing::AllOf(HasSubstr("lenet5"), HasSubstr("note"))));
  file.metadata_->input = {3, 227, 227};
  EXPECT_THAT([&] { InferenceSpec(file, "f.pth", {}); },
              ThrowsMessage<Error>(HasSubstr("3x32x32")));
}

}  // namespace
}  // namespace alexnet
