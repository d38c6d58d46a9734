// SPDX-License-Identifier: MIT
// The training loop.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "alexnet/error.h"
#include "alexnet/train.h"
#include "data/loader.h"
#include "train/evaluate.h"
#include "train/stuck_detector.h"

namespace alexnet {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void Check(const TrainOptions& options, const TrainPosition& position,
           int64_t images) {
  const auto require = [](bool good, const std::string& what) {
    if (!good) throw UsageError(what);
  };
  require(options.epochs > 0,
          Concat("epochs: got ", options.epochs, ", expected at least 1"));
  require(options.learning_rate > 0 && std::isfinite(options.learning_rate),
          Concat("learning rate: got ", options.learning_rate,
                 ", expected a positive number"));
  require(options.max_steps >= 0 && options.checkpoint_every >= 0 &&
              options.checkpoint_pause >= 0 && options.early_stop >= 0 &&
              options.time_budget >= 0,
          "max steps, steps and seconds between checkpoints, epochs before an "
          "early stop and the time budget cannot be negative");
  CheckSchedule(options.schedule);
  require(options.loader_threads > 0,
          Concat("loader threads: got ", options.loader_threads,
                 ", expected at least 1"));
  require(position.step >= 0 && position.epoch >= 0 && position.in_epoch >= 0 &&
              position.in_epoch <= images,
          Concat("position: got image ", position.in_epoch, " of epoch ",
                 position.epoch, ", expected 0 to ", images));
}

class Trainer {
 public:
  Trainer(Engine& engine, const Dataset& training, const Dataset* validation,
          const TrainOptions& options, TrainPosition& position,
          const TrainHooks& hooks)
      : engine_(engine),
        training_(training),
        validation_(validation),
        options_(options),
        position_(position),
        hooks_(hooks),
        stuck_(engine.spec().model.classes) {
    CheckFits(engine, training);
    if (validation != nullptr) CheckFits(engine, *validation);
    Check(options, position, training.size());
    if (options.early_stop > 0 && validation == nullptr) {
      throw UsageError("an early stop needs images to validate with");
    }
    const int64_t batch = engine.spec().batch_size;
    steps_per_epoch_ = (training.size() + batch - 1) / batch;
    steps_total_ = options.epochs * steps_per_epoch_;
    if (options.max_steps > 0) {
      steps_total_ = std::min(steps_total_, options.max_steps);
    }
    Stage();
  }

  TrainEnd Run() {
    TrainEnd end = TrainEnd::kFinished;
    while (end == TrainEnd::kFinished && position_.epoch < options_.epochs &&
           !StoppedEarly() && (!AtLimit() || EpochDone())) {
      end = RunEpoch();
    }
    Checkpoint();
    return end;
  }

 private:
  void Stage();
  TrainEnd RunEpoch();
  StepReport Step(const Batch& batch);
  double LearningRate() const;
  bool FinishEpoch(Clock::time_point epoch_start);
  bool Validate(EpochReport& report);
  void CheckpointAfterPause();
  void Checkpoint();
  void WarnIfStuck(double loss);
  [[noreturn]] void ThrowNonFinite(const NonFinite& found) const;

  bool AtLimit() const {
    return (options_.max_steps > 0 && position_.step >= options_.max_steps) ||
           (options_.time_budget > 0 &&
            position_.seconds >= options_.time_budget);
  }
  bool StoppedEarly() const {
    return options_.early_stop > 0 && position_.best.epoch >= 0 &&
           position_.epoch - 1 - position_.best.epoch >= options_.early_stop;
  }
  bool EpochDone() const { return position_.in_epoch >= training_.size(); }

  Engine& engine_;
  const Dataset& training_;
  const Dataset* validation_;
  const TrainOptions& options_;
  TrainPosition& position_;
  const TrainHooks& hooks_;
  StuckDetector stuck_;
  int64_t steps_per_epoch_ = 0;
  int64_t steps_total_ = 0;
  StagedImages staged_training_;
  StagedImages staged_validation_;
  bool changed_since_checkpoint_ = true;
  Clock::time_point last_checkpoint_ = Clock::now();
};

// The held-out images are often part of the same set: it is staged once.
void Trainer::Stage() {
  const bool keeps = engine_.spec().device == Device::kCuda;
  const auto view = [keeps](const Dataset& set) {
    return keeps ? set.LoadedView() : set.staged_view();
  };
  const ImageView images = view(training_);
  const auto stage = [this](const ImageView& set) {
    const StagedImages staged = engine_.Stage(set);
    if (staged.id < 0 && hooks_.on_warning) {
      hooks_.on_warning(
          "the GPU has no room for the images: every batch brings its own");
    }
    return staged;
  };
  if (!images.pixels.empty()) staged_training_ = stage(images);
  if (validation_ == nullptr) return;
  const ImageView others = view(*validation_);
  if (others.pixels.empty()) return;
  const bool same = others.pixels.data() == images.pixels.data() &&
                    others.pixels.size() == images.pixels.size();
  staged_validation_ = same ? staged_training_ : stage(others);
}

// From position_.in_epoch on, which is not 0 in a resumed epoch. The position
// only moves to the next epoch when its report has been made: a run that ends
// before that makes it when resumed.
TrainEnd Trainer::RunEpoch() {
  const auto start = Clock::now();
  std::vector<int64_t> order = EpochOrder(training_.size(), options_.shuffle,
                                          options_.seed, position_.epoch);
  order.erase(order.begin(), order.begin() + position_.in_epoch);
  Loader loader(training_, std::move(order),
                {.batch_size = engine_.spec().batch_size,
                 .threads = options_.loader_threads,
                 .staged = staged_training_,
                 .training_epoch = position_.epoch,
                 .classes = engine_.spec().model.classes});
  while (!EpochDone() && !AtLimit()) {
    if (hooks_.stop.stop_requested()) return TrainEnd::kStopped;
    const auto step_start = Clock::now();
    const Batch* batch = loader.Next();
    ALEXNET_CHECK(batch != nullptr);
    StepReport report = Step(*batch);
    report.wait_seconds = loader.wait_seconds();
    report.seconds = SecondsSince(step_start);
    if (options_.time_budget > 0) position_.seconds += report.seconds;
    report.position = position_;
    if (hooks_.on_step) hooks_.on_step(report);
    WarnIfStuck(report.result.loss);
    const bool due = options_.checkpoint_every > 0 &&
                     position_.step % options_.checkpoint_every == 0;
    if (due && !EpochDone()) CheckpointAfterPause();
  }
  if (EpochDone() && !FinishEpoch(start)) return TrainEnd::kStopped;
  return TrainEnd::kFinished;
}

double Trainer::LearningRate() const {
  const ScheduleTime time = {.step = position_.step,
                             .steps_total = steps_total_,
                             .steps_per_epoch = steps_per_epoch_};
  return options_.learning_rate * position_.plateau.factor *
         ScheduleFactor(options_.schedule, time);
}

StepReport Trainer::Step(const Batch& batch) {
  StepReport report;
  report.learning_rate = LearningRate();
  // ------------------------------------------------------------ training step
  const Ticket ticket =
      engine_.TrainStep(batch, {.step = position_.step + 1,
                                .epoch = position_.epoch,
                                .learning_rate = report.learning_rate});
  report.result = engine_.Wait(ticket);
  if (report.result.non_finite) ThrowNonFinite(*report.result.non_finite);
  const int64_t images = report.result.images;
  position_.step += 1;
  position_.in_epoch += images;
  position_.images += images;
  position_.correct += report.result.correct;
  position_.loss_sum += report.result.loss * static_cast<double>(images);
  changed_since_checkpoint_ = true;
  // --------------------------------------------------------------------------
  report.epoch = position_.epoch;
  report.batch = (position_.in_epoch - 1) / engine_.spec().batch_size;
  report.steps_per_epoch = steps_per_epoch_;
  report.steps_total = steps_total_;
  return report;
}

// With the average in the parameters' place, if there is one. False if it was
// stopped.
bool Trainer::Validate(EpochReport& report) {
  SwapAverage(engine_);
  report.validation =
      EvaluateUnlessStopped(engine_, *validation_,
                            {.staged = staged_validation_,
                             .loader_threads = options_.loader_threads,
                             .stop = hooks_.stop});
  if (report.validation) {
    const double accuracy = report.validation->top1();
    const double loss = report.validation->loss;
    BestEpoch& best = position_.best;
    // A diverged network has no loss to remember.
    if (!std::isfinite(loss)) {
      if (hooks_.on_warning) {
        hooks_.on_warning("the validation loss is not finite");
      }
    } else if (best.epoch < 0 || accuracy > best.accuracy ||
               (accuracy == best.accuracy && loss < best.loss)) {
      best = {.epoch = report.epoch, .accuracy = accuracy, .loss = loss};
      if (hooks_.on_best) hooks_.on_best();
    }
  }
  SwapAverage(engine_);
  return report.validation.has_value();
}

// False if it was stopped; the validation is then for the resumed run.
bool Trainer::FinishEpoch(Clock::time_point epoch_start) {
  EpochReport report;
  report.epoch = position_.epoch;
  report.step = position_.step;
  if (position_.images > 0) {
    const auto images = static_cast<double>(position_.images);
    report.train_loss = position_.loss_sum / images;
    report.train_accuracy = static_cast<double>(position_.correct) / images;
  }
  if (validation_ != nullptr && !Validate(report)) return false;
  if (options_.schedule.kind == ScheduleKind::kPlateau) {
    position_.plateau.Add(
        report.validation ? report.validation->loss : report.train_loss,
        options_.schedule);
  }
  report.seconds = SecondsSince(epoch_start);
  if (hooks_.on_epoch) hooks_.on_epoch(report);
  TrainPosition next = {.step = position_.step, .epoch = position_.epoch + 1};
  next.plateau = position_.plateau;
  next.best = position_.best;
  next.seconds = position_.seconds;
  position_ = next;
  changed_since_checkpoint_ = true;
  // The best weights are in a file of their own, which must not be newer.
  if (options_.early_stop > 0 && position_.best.epoch == report.epoch) {
    Checkpoint();
  } else {
    CheckpointAfterPause();
  }
  return true;
}

void Trainer::CheckpointAfterPause() {
  if (SecondsSince(last_checkpoint_) >= options_.checkpoint_pause) Checkpoint();
}

void Trainer::Checkpoint() {
  if (changed_since_checkpoint_ && hooks_.on_checkpoint) {
    hooks_.on_checkpoint(position_);
  }
  changed_since_checkpoint_ = false;
  last_checkpoint_ = Clock::now();
}

void Trainer::WarnIfStuck(double loss) {
  if (!stuck_.Add(loss) || !hooks_.on_warning) return;
  hooks_.on_warning(Concat(
      "the loss has been at ", stuck_.guessing_loss(), " = ln(",
      engine_.spec().model.classes, ") for ", StuckDetector::kSteps,
      " steps, up to step ", position_.step,
      ": the network is only guessing and may have died. The usual cure is a "
      "lower learning rate than ",
      options_.learning_rate, ", for instance --lr 3e-4, in a new run."));
}

void Trainer::ThrowNonFinite(const NonFinite& found) const {
  const std::string what = found.where == "loss"
                               ? "the loss"
                               : Concat("the gradient of ", found.where);
  throw NonFiniteError(Concat(
      "step ", position_.step + 1, " (epoch ", position_.epoch, "): ", what,
      " is not a finite number, at learning rate ", options_.learning_rate,
      ". Nothing was changed: the parameters are those of step ",
      position_.step, ". The likely cure is a lower --lr, for instance ",
      options_.learning_rate / 3,
      "; if that does not help, look at the images and at --mean and --std."));
}

}  // namespace

TrainEnd Train(Engine& engine, const Dataset& training,
               const Dataset* validation, const TrainOptions& options,
               TrainPosition& position, const TrainHooks& hooks) {
  return Trainer(engine, training, validation, options, position, hooks).Run();
}

}  // namespace alexnet
