// SPDX-License-Identifier: MIT
// A whole training run: data, engine, resuming, checkpoints, the run folder's
// files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "alexnet/dataset.h"
#include "alexnet/engine.h"
#include "alexnet/train.h"
#include "alexnet/weights.h"
#include "train/run_options.h"

namespace alexnet {

// Names of the files in a run folder.
inline constexpr char kWeightsFile[] = "params.pth";
// The best so far of a run with --early-stop.
inline constexpr char kBestFile[] = "best.pth";
inline constexpr char kStepsFile[] = "steps.csv";
inline constexpr char kEpochsFile[] = "epochs.csv";
inline constexpr char kRunFile[] = "run.json";

// Where --data points if it is not given.
inline constexpr char kDefaultData[] = "dataset";

// Test images of `shapes`; the training images are RunOptions::shapes_count.
inline constexpr int64_t kShapesTestImages = 2000;

struct RunCallbacks {
  std::function<void(const StepReport&)> on_step;
  std::function<void(const EpochReport&)> on_epoch;
  // A line for the person at the terminal: what is being done, what was
  // changed on resume.
  std::function<void(const std::string&)> on_message;
  // The same for what needs attention: a damaged checkpoint, a loss that does
  // not move.
  std::function<void(const std::string&)> on_warning;
  // Once, before the first step: the plan in engine.spec() and Memory().
  std::function<void(const Engine&)> on_engine;
  // Ends the run after the current step, with a checkpoint.
  std::stop_token stop;
  // MakeEngine if empty.
  std::function<std::unique_ptr<Engine>(const EngineSpec&)> make_engine;
};

struct RunResult {
  TrainEnd end = TrainEnd::kFinished;
  RunOptions options;  // as they were in force (recipe and checkpoint applied)
  TrainPosition position;
  bool resumed = false;
  std::filesystem::path weights;  // params.pth; empty if the run was stopped
  std::optional<EpochReport> last_epoch;  // of this session
  double seconds = 0;                     // of this session
};

// Trains as the options say. The recipe is applied here: `options` holds what
// was given, and defaults. UsageError for options that
// make no sense or, resuming, differ from those of the checkpoint where they
// must not; Error for a folder that holds a finished run (without
// `overwrite`), is in use by another process or cannot be written, for data
// that cannot be read, and for checkpoints of which none is sound;
// NonFiniteError.
//
// An interrupted run that is neither resumed nor overwritten is refused as
// well: its checkpoint may be hours of work. Resuming a finished run does
// nothing, unless epochs or max-steps were raised: then it is trained further.
RunResult RunTraining(const RunOptions& options,
                      const RunCallbacks& callbacks = {});

// What a run folder holds.
enum class FolderState { kNothing, kUnfinished, kFinished };
FolderState StateOf(const std::filesystem::path& run_folder);

// The training or test images that `options` name, as they are without
// augmentation. Where CIFAR-10 is not found, the Error says how to get it.
// `say` is told what needs no action, such as pictures that were skipped.
using Say = std::function<void(const std::string&)>;
std::unique_ptr<Dataset> LoadDataset(const RunOptions& options, Split split,
                                     const Say& say = {});

// The validation images that a folder or list has beside the training images;
// null if there are none.
std::unique_ptr<Dataset> LoadValidation(const RunOptions& options,
                                        const Say& say = {});

// The images as options.augment changes them for training; null if it does not.
// `images` must outlive it.
std::unique_ptr<Dataset> AugmentFor(const RunOptions& options,
                                    const Dataset& images);

// The same for evaluation: the middle of images that training sees patches of,
// else null.
std::unique_ptr<Dataset> EvaluationView(const RunOptions& options,
                                        const Dataset& images);

// How these options make pictures ready, for the weight file; `images` are
// those of the run, whole.
PictureTransform PictureTransformOf(const RunOptions& options,
                                    const Dataset& images);

// Network and pictures as the weight file has them, where `options` were not
// given others.
void TakeFromFile(const ModelMetadata& metadata, RunOptions& options);

// options.loader_threads, or what suits the images.
int64_t LoaderThreads(const RunOptions& options, const Dataset& dataset);

// The text of a plan, for the engine to check; empty if there is no file.
// Throws Error where the file cannot be read.
std::string ReadKernelPlan(const std::string& file);

// The engine of a run on these images (kernel plan empty, device and threads
// as asked for).
EngineSpec TrainingSpec(const RunOptions& options, const Dataset& dataset);

// How to run a saved model.
struct InferenceOptions {
  std::string arch;  // empty: the weight file's
  Shape3 source{3, 32, 32};
  // Of the data, used if the file has no names of its own; 0: that of the
  // file's last parameter.
  int64_t classes = 0;
  std::optional<InputTransform> transform;  // the file's, else 0.5
  int64_t batch_size = 32;
  std::string device = "auto";
  std::string precision = "fp32";
  std::string algorithms = "fast";
  int64_t threads = 0;
};

// UsageError if the file names no network and `options` neither, or if both
// do and differ.
EngineSpec InferenceSpec(const WeightFile& weights, const std::string& file,
                         const InferenceOptions& options);

}  // namespace alexnet
