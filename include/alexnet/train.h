// SPDX-License-Identifier: MIT
// The training loop, evaluation and prediction over an Engine and a Dataset.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "alexnet/dataset.h"
#include "alexnet/engine.h"
#include "alexnet/error.h"
#include "alexnet/schedule.h"

namespace alexnet {

struct TrainOptions {
  int64_t epochs = 2;
  double learning_rate = 1e-3;  // the highest
  ScheduleSpec schedule = {};
  bool shuffle = false;
  uint64_t seed = 0;      // of the shuffling
  int64_t max_steps = 0;  // 0: no limit beyond the epochs
  // Ends after the step in which so many seconds of training, all sessions
  // together, are over. 0: no limit. The schedule does not know of it.
  double time_budget = 0;
  // Ends when the validation has not become better for so many epochs. 0:
  // never.
  int64_t early_stop = 0;
  int64_t checkpoint_every = 0;  // steps; 0: only at the end of each epoch
  // Seconds after a checkpoint, and after the start, in which steps and ends of
  // epochs make none.
  double checkpoint_pause = 0;
  int64_t loader_threads = 1;
};

// The best validation so far: by accuracy, then by loss.
struct BestEpoch {
  int64_t epoch = -1;  // −1: none yet
  double accuracy = 0;
  double loss = 0;
  bool operator==(const BestEpoch&) const = default;
};

// Where a run stands. Sums are those of the current epoch.
struct TrainPosition {
  int64_t step = 0;      // updates done
  int64_t epoch = 0;     // the epoch that the next step belongs to
  int64_t in_epoch = 0;  // images of that epoch already trained on
  double loss_sum = 0;   // loss · images
  int64_t correct = 0;
  int64_t images = 0;
  PlateauState plateau = {};
  BestEpoch best = {};
  double seconds = 0;  // spent on steps, if there is a budget
};

// After each step.
struct StepReport {
  TrainPosition position;  // after the step
  int64_t epoch = 0;       // of this step
  int64_t batch = 0;       // number of the step within its epoch, from 0
  int64_t steps_per_epoch = 0;
  int64_t steps_total = 0;
  StepResult result;
  double learning_rate = 0;
  double seconds = 0;       // of this step, waiting included
  double wait_seconds = 0;  // of it, waiting for data
};

struct Evaluation {
  int64_t images = 0;
  double loss = 0;  // mean
  int64_t correct_top1 = 0;
  int64_t correct_top5 = 0;
  std::vector<int64_t> confusion;  // classes × classes, [true][predicted]
  double top1() const {
    return images ? double(correct_top1) / double(images) : 0;
  }
  double top5() const {
    return images ? double(correct_top5) / double(images) : 0;
  }
};

struct EpochReport {
  int64_t epoch = 0;
  int64_t step = 0;  // updates done at its end
  double train_loss = 0;
  double train_accuracy = 0;
  std::optional<Evaluation> validation;
  double seconds = 0;
};

struct TrainHooks {
  std::function<void(const StepReport&)> on_step;
  std::function<void(const EpochReport&)> on_epoch;
  // Called where a checkpoint is due: every checkpoint_every steps and at the
  // end of each epoch, but for checkpoint_pause; after an epoch that was the
  // best so far, if the run may stop early; and when the run ends for whatever
  // reason but an error.
  std::function<void(const TrainPosition&)> on_checkpoint;
  // Called when a validation was the best so far. The engine's parameters are
  // then the weights that were validated: their average, if one is kept.
  std::function<void()> on_best;
  // Something that the person at the terminal should know, with the cure.
  std::function<void(const std::string&)> on_warning;
  // Asked after every step; the run then ends with a checkpoint.
  std::stop_token stop;
};

enum class TrainEnd { kFinished, kStopped };

// Thrown when a loss or gradient is NaN or infinite. The parameters are those
// of the last good step.
class NonFiniteError : public Error {
 public:
  using Error::Error;
};

// Trains from `position`, which is kept up to date, to the end of the epochs,
// of max_steps or of the time budget, or until early_stop. `validation` may be
// null; it is made with the weights' average if the engine keeps one.
TrainEnd Train(Engine& engine, const Dataset& training,
               const Dataset* validation, const TrainOptions& options,
               TrainPosition& position, const TrainHooks& hooks = {});

// Runs the data set through the network in its own order, dropout off.
// `on_logits`, if given, receives each batch's logits (images × classes).
Evaluation Evaluate(
    Engine& engine, const Dataset& dataset, int64_t loader_threads = 1,
    const std::function<void(std::span<const float>)>& on_logits = {});

struct ClassProbability {
  int32_t label = 0;
  float probability = 0;
};

// Softmax of one image's logits, sorted by falling probability.
std::vector<ClassProbability> RankClasses(std::span<const float> logits);

}  // namespace alexnet
