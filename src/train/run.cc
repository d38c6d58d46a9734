// SPDX-License-Identifier: MIT
#include "train/run.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "alexnet/error.h"
#include "core/isa.h"
#include "io/atomic_file.h"
#include "io/input_file.h"
#include "train/checkpoint.h"
#include "train/recipes.h"
#include "train/resume.h"
#include "train/run_folder.h"
#include "train/run_record.h"

namespace alexnet {
namespace {

bool SamePlace(const TrainPosition& a, const TrainPosition& b) {
  return a.step == b.step && a.epoch == b.epoch && a.in_epoch == b.in_epoch;
}

// In small parts: the largest tensor once more would be 151 MB on top of the
// engine's peak.
void CopyFile(const std::filesystem::path& from,
              const std::filesystem::path& to) {
  constexpr uint64_t kPart = 1 << 20;
  const InputFile source(from);
  AtomicFile target(to);
  std::vector<std::byte> part;
  for (uint64_t at = 0; at < source.size(); at += part.size()) {
    part.resize(std::min(kPart, source.size() - at));
    source.ReadAt(at, part);
    target.Write(part);
  }
  target.Commit();
}

RunOptions WithRecipe(RunOptions options) {
  NoteGiven(options);
  ApplyRecipe(options.recipe, options);
  CheckOptions(options);
  // A resumed run may be started from another folder.
  if (options.dataset != "shapes" && options.data.empty()) {
    options.data = kDefaultData;
  }
  for (std::string* path : {&options.data, &options.cache, &options.pretrained,
                            &options.kernel_plan}) {
    if (!path->empty()) *path = std::filesystem::absolute(*path).string();
  }
  return options;
}

// Left to the program, checkpoints take a small part of the time: a GPU does
// 500 steps in less time than a file of three times the weights takes.
TrainOptions LoopOptions(const RunOptions& options, const Dataset& training) {
  constexpr int64_t kSteps = 500;
  constexpr double kPause = 60;
  const bool left_to_us = options.checkpoint_every == 0;
  return {.epochs = options.epochs,
          .learning_rate = options.lr,
          .schedule = ScheduleOf(options),
          .shuffle = options.shuffle,
          .seed = options.seed,
          .max_steps = options.max_steps,
          .time_budget = options.time_budget,
          .early_stop = options.early_stop,
          .checkpoint_every = left_to_us ? kSteps : options.checkpoint_every,
          .checkpoint_pause = left_to_us ? kPause : 0,
          .loader_threads = LoaderThreads(options, training)};
}

class Run {
 public:
  Run(const RunOptions& options, const RunCallbacks& callbacks)
      : callbacks_(callbacks),
        options_(WithRecipe(options)),
        folder_(options_.out),
        checkpoints_(options_.out) {}

  RunResult Go();

 private:
  void RefuseEarlierRun() const;
  void TakeUpCheckpoint();
  void LoadImages();
  void HoldOut();
  const Dataset& TrainingImages() const {
    return training_view_   ? *training_view_
           : training_part_ ? *training_part_
                            : *images_;
  }
  const Dataset* ValidationImages() const {
    return validation_view_ ? validation_view_.get() : validation_part_.get();
  }
  void MakeTheEngine();
  void WarnOfAnotherMachine() const;
  void PrepareFolder();
  TrainEnd TrainToTheEnd(RunRecord& record, RunResult& result);
  TrainHooks Hooks(RunResult& result);
  void SaveCheckpoint(const TrainPosition& position);
  void BeginWeights();
  void SaveTheWeights();
  void SaveParameters(const char* name) const;

  void Say(const std::string& text) const {
    if (callbacks_.on_message) callbacks_.on_message(text);
  }
  void Warn(const std::string& text) const {
    if (callbacks_.on_warning) callbacks_.on_warning(text);
  }

  const RunCallbacks& callbacks_;
  RunOptions options_;
  RunFolder folder_;
  CheckpointStore checkpoints_;
  std::optional<CheckpointInfo> checkpoint_;  // what is gone on from
  std::unique_ptr<Dataset> images_;
  std::unique_ptr<Dataset> training_part_;
  std::unique_ptr<Dataset> validation_part_;
  std::unique_ptr<Dataset> training_view_;    // augmented
  std::unique_ptr<Dataset> validation_view_;  // cut like the training images
  std::unique_ptr<Engine> engine_;
  TrainPosition position_;
  std::optional<TrainPosition> saved_;  // that of the newest checkpoint
};

RunResult Run::Go() {
  const auto start = std::chrono::steady_clock::now();
  RunResult result;
  RefuseEarlierRun();
  TakeUpCheckpoint();
  LoadImages();
  MakeTheEngine();
  PrepareFolder();
  RunRecord record(folder_.path() / kRunFile, options_, *engine_, *images_,
                   validation_part_ ? validation_part_->size() : 0, position_);
  result.end = TrainToTheEnd(record, result);
  result.options = options_;
  result.position = position_;
  result.resumed = checkpoint_.has_value();
  if (result.end == TrainEnd::kFinished) {
    result.weights = folder_.path() / kWeightsFile;
  }
  result.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return result;
}

void Run::RefuseEarlierRun() const {
  const FolderState state = StateOf(folder_.path());
  const std::string where = folder_.path().string();
  if (options_.overwrite || state == FolderState::kNothing) return;
  if (!options_.resume) {
    throw Error(
        state == FolderState::kFinished
            ? where +
                  ": holds a finished run; --overwrite replaces it, --out "
                  "names another folder"
            : where +
                  ": holds the checkpoint of an interrupted run; --resume "
                  "goes on from it, --overwrite begins anew");
  }
  if (!checkpoints_.exists()) {
    throw Error(where +
                ": holds a finished run without a checkpoint to go on from");
  }
}

void Run::TakeUpCheckpoint() {
  if (!options_.resume) return;
  if (!checkpoints_.exists()) {
    Say(folder_.path().string() + ": nothing to resume; beginning anew");
    return;
  }
  std::string warning;
  checkpoint_ = checkpoints_.Load(warning);
  if (!warning.empty()) Warn(warning);
  ResumedOptions merged = MergeForResume(checkpoint_->options, options_);
  options_ = std::move(merged.options);
  CheckOptions(options_);
  position_ = checkpoint_->position;
  saved_ = position_;
  Say(Concat("going on from step ", position_.step, " (epoch ", position_.epoch,
             ", image ", position_.in_epoch, ")"));
  for (const std::string& change : merged.changes) Say(change);
}

void Run::LoadImages() {
  const auto say = [this](const std::string& text) { Say(text); };
  images_ = LoadDataset(options_, Split::kTrain, say);
  if (checkpoint_ && checkpoint_->fingerprint != images_->fingerprint()) {
    throw Error(
        Concat("the training images are not those of the checkpoint: "
               "expected fingerprint ",
               checkpoint_->fingerprint, ", found ", images_->fingerprint()));
  }
  if (options_.val_fraction > 0) {
    HoldOut();
  } else {
    validation_part_ = LoadValidation(options_, say);
  }
  if (options_.early_stop > 0 && !validation_part_) {
    throw UsageError(
        Concat("early-stop: got ", options_.early_stop,
               ", expected validation images to stop by: a val-fraction, or a "
               "val/ beside the training images"));
  }
  training_view_ = AugmentFor(options_, TrainingImages());
  if (validation_part_) {
    validation_view_ = EvaluationView(options_, *validation_part_);
  }
}

void Run::HoldOut() {
  SplitIndices split =
      SplitByFraction(images_->size(), options_.val_fraction, options_.seed);
  if (split.train.empty() || split.validation.empty()) {
    throw UsageError(Concat("val-fraction: ", options_.val_fraction, " of ",
                            images_->size(), " images leaves ",
                            split.train.size(), " to train on and ",
                            split.validation.size(), " to validate with"));
  }
  training_part_ = Subset(*images_, std::move(split.train));
  validation_part_ = Subset(*images_, std::move(split.validation));
}

void Run::MakeTheEngine() {
  EngineSpec spec = TrainingSpec(options_, TrainingImages());
  spec.kernel_plan = checkpoint_ ? checkpoint_->kernel_plan
                                 : ReadKernelPlan(options_.kernel_plan);
  engine_ =
      callbacks_.make_engine ? callbacks_.make_engine(spec) : MakeEngine(spec);
  options_.device = Name(engine_->spec().device);
  options_.threads = engine_->spec().threads;
  options_.slice_size = engine_->spec().slice_size;
  if (checkpoint_) {
    WarnOfAnotherMachine();
    checkpoints_.Restore(*engine_);
  } else {
    BeginWeights();
  }
  if (callbacks_.on_engine) callbacks_.on_engine(*engine_);
}

void Run::BeginWeights() {
  Initialize(*engine_, options_.seed);
  if (!options_.pretrained.empty()) {
    const auto file = OpenWeights(options_.pretrained);
    std::string replaced;
    for (const std::string& name :
         LoadPretrained(*engine_, *file, options_.pretrained)) {
      replaced += (replaced.empty() ? "; new: " : ", ") + name;
    }
    Say("beginning with the weights of " + options_.pretrained + replaced);
  }
  BeginAverage(*engine_);
}

// Moving a run is allowed; only the promise of equal bits ends there.
void Run::WarnOfAnotherMachine() const {
  const auto warn = [this](const std::string& before, const std::string& now) {
    Warn(Concat("the checkpoint was made with ", before, ", this process uses ",
                now,
                ": the result will differ in the last bits from that of a run "
                "never interrupted"));
  };
  const std::string isa(Name(SelectedIsa()));
  const std::string library = engine_->library();
  if (checkpoint_->options.device != options_.device) {
    warn("device " + checkpoint_->options.device, "device " + options_.device);
  } else if (engine_->spec().device == Device::kCpu &&
             checkpoint_->isa != isa) {
    warn(checkpoint_->isa + " instructions", isa);
  } else if (!checkpoint_->library.empty() && checkpoint_->library != library) {
    warn(checkpoint_->library, library.empty() ? "no library" : library);
  } else if (checkpoint_->options.slice_size != engine_->spec().slice_size) {
    warn(Concat("slices of ", checkpoint_->options.slice_size, " images"),
         Concat("slices of ", engine_->spec().slice_size));
  } else if (checkpoint_->kernel_plan != engine_->kernel_plan()) {
    warn("algorithms that are not to be had here", "others");
  }
}

// As late as possible: whatever is wrong with options, data or machine is
// found before an earlier run is removed.
void Run::PrepareFolder() {
  if (!checkpoint_) folder_.RemoveRun();
  folder_.OpenTables(position_);
}

TrainEnd Run::TrainToTheEnd(RunRecord& record, RunResult& result) {
  record.Write("running", position_);
  try {
    const Dataset& training = TrainingImages();
    const TrainEnd end =
        Train(*engine_, training, ValidationImages(),
              LoopOptions(options_, training), position_, Hooks(result));
    if (end == TrainEnd::kFinished) SaveTheWeights();
    record.Write(end == TrainEnd::kFinished ? "finished" : "stopped",
                 position_);
    return end;
  } catch (const std::exception& error) {
    try {
      record.Write("failed", position_, error.what());
    } catch (const Error&) {
      // The first error is the one to report.
    }
    throw;
  }
}

TrainHooks Run::Hooks(RunResult& result) {
  TrainHooks hooks;
  hooks.on_step = [this, first = true](const StepReport& report) mutable {
    // Weights of a finished run that is trained further are out of date.
    if (std::exchange(first, false)) folder_.RemoveWeights();
    folder_.Add(report);
    if (callbacks_.on_step) callbacks_.on_step(report);
  };
  hooks.on_epoch = [this, &result](const EpochReport& report) {
    folder_.Add(report);
    result.last_epoch = report;
    if (callbacks_.on_epoch) callbacks_.on_epoch(report);
  };
  hooks.on_checkpoint = [this](const TrainPosition& position) {
    SaveCheckpoint(position);
  };
  if (options_.early_stop > 0) {
    hooks.on_best = [this] { SaveParameters(kBestFile); };
  }
  hooks.on_warning = [this](const std::string& text) { Warn(text); };
  hooks.stop = callbacks_.stop;
  return hooks;
}

// The tables first: what a checkpoint counts as done must be in them.
void Run::SaveCheckpoint(const TrainPosition& position) {
  if (saved_ && SamePlace(*saved_, position)) return;
  folder_.SyncTables();
  checkpoints_.Save(*engine_, {.options = options_,
                               .position = position,
                               .kernel_plan = engine_->kernel_plan(),
                               .isa = std::string(Name(SelectedIsa())),
                               .library = engine_->library(),
                               .fingerprint = images_->fingerprint(),
                               .class_names = images_->class_names()});
  saved_ = position;
}

// Of a run that may stop early the best, else the last; with an average, that.
void Run::SaveTheWeights() {
  const std::filesystem::path best = folder_.path() / kBestFile;
  if (options_.early_stop > 0 && position_.best.epoch >= 0 &&
      std::filesystem::exists(best)) {
    OpenWeights(best);  // an error if it is damaged
    CopyFile(best, folder_.path() / kWeightsFile);
    return;
  }
  SwapAverage(*engine_);
  SaveParameters(kWeightsFile);
  SwapAverage(*engine_);
}

void Run::SaveParameters(const char* name) const {
  const ModelSpec& model = engine_->spec().model;
  SaveWeights(folder_.path() / name, *ParametersOf(*engine_),
              {.arch = model.arch,
               .input = model.input,
               .class_names = images_->class_names(),
               .transform = engine_->spec().input,
               .pictures = PictureTransformOf(options_, *images_)});
}

}  // namespace

RunResult RunTraining(const RunOptions& options,
                      const RunCallbacks& callbacks) {
  return Run(options, callbacks).Go();
}

}  // namespace alexnet
