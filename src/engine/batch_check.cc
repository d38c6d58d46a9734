// SPDX-License-Identifier: MIT
#include "engine/batch_check.h"

#include <cmath>
#include <limits>

#include "alexnet/error.h"

namespace alexnet {
namespace {

std::string Text(const Shape3& shape) {
  return Concat(shape.channels, "×", shape.height, "×", shape.width);
}

// The message is put together only where it is needed: some of these checks
// are made for every image of every step.
template <class... Parts>
void Require(bool condition, const Parts&... message) {
  if (!condition) throw UsageError(Concat(message...));
}

void CheckOptimizer(const OptimizerSpec& optimizer) {
  for (const double decay :
       {optimizer.beta1, optimizer.beta2, optimizer.momentum}) {
    Require(decay >= 0 && decay < 1,
            "momentum and betas must be in [0, 1), one is ", decay);
  }
  // Zero would make 0/0 of a parameter whose gradient has always been zero.
  Require(optimizer.eps > 0 && std::isfinite(optimizer.eps),
          "Adam's eps must be above 0, is ", optimizer.eps);
  Require(optimizer.weight_decay >= 0 && std::isfinite(optimizer.weight_decay),
          "weight decay must be 0 or more, is ", optimizer.weight_decay);
}

void CheckTraining(const EngineSpec& spec) {
  CheckOptimizer(spec.optimizer);
  Require(spec.label_smoothing >= 0 && spec.label_smoothing < 1,
          "label smoothing must be in [0, 1), is ", spec.label_smoothing);
  Require(spec.clip_norm >= 0 && std::isfinite(spec.clip_norm),
          "the limit of the gradient's norm must be 0 (none) or more, is ",
          spec.clip_norm);
  Require(spec.average_decay >= 0 && spec.average_decay < 1,
          "the decay of the average must be in [0, 1), is ",
          spec.average_decay);
  if (!spec.training) return;
  bool any = false;
  for (const ParameterInfo& info : Parameters(spec.model)) {
    any = any || !info.frozen;
    const double lr = info.lr_multiplier;
    const double decay = info.decay_multiplier;
    Require(lr >= 0 && std::isfinite(lr) && decay >= 0 && std::isfinite(decay),
            info.name, ": multipliers must be 0 or more, are ", lr, " and ",
            decay);
  }
  Require(any, "a network without parameters to train cannot be trained");
}

void CheckViewShape(const EngineSpec& spec, const ImageView& images) {
  Require(images.shape == spec.source, "images are ", Text(images.shape),
          ", the engine was made for ", Text(spec.source));
  const auto size = static_cast<size_t>(spec.source.elements());
  Require(images.pixels.size() % size == 0, images.pixels.size(),
          " bytes are not a whole number of ", Text(spec.source), " images");
}

std::string ImageText(const Batch& batch, size_t i) {
  const bool known = i < batch.sample_ids.size();
  return Concat("image ", i, " of the batch",
                known ? Concat(" (sample ", batch.sample_ids[i], ")") : "");
}

void CheckProbabilities(const Batch& batch, size_t image,
                        std::span<const float> row) {
  double sum = 0;
  for (size_t c = 0; c < row.size(); ++c) {
    if (!(row[c] >= 0 && row[c] <= 1)) {
      throw Error(Concat(ImageText(batch, image), ": probability of class ", c,
                         " must be in [0, 1], is ", row[c]));
    }
    sum += static_cast<double>(row[c]);
  }
  // Room for the rounding of mixed and smoothed labels.
  if (std::abs(sum - 1) > 1e-3) {
    throw Error(Concat(ImageText(batch, image),
                       ": probabilities must sum to 1, their sum is ", sum));
  }
}

}  // namespace

void CheckEngineSpec(const EngineSpec& spec) {
  InferLayers(spec.model);
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  Require(spec.batch_size >= 1 && spec.batch_size <= kMax,
          "batch size must be at least 1, is ", spec.batch_size);
  Require(spec.slice_size >= 0, "slice size must be 0 or more, is ",
          spec.slice_size);
  Require(spec.threads >= 0, "threads must be 0 (all) or more, are ",
          spec.threads);
  const Shape3& source = spec.source;
  Require(source.height >= 1 && source.height <= 65536 && source.width >= 1 &&
              source.width <= 65536,
          "source images must be 1 to 65536 pixels high and wide, are ",
          Text(source));
  Require(source.channels == spec.model.input.channels, "source images have ",
          source.channels, " channels, the network takes ",
          Text(spec.model.input));
  const auto channels = static_cast<int64_t>(spec.input.mean.size());
  Require(source.channels <= channels, "mean and std are for ", channels,
          " channels at most, source images have ", source.channels);
  for (size_t c = 0; c < static_cast<size_t>(source.channels); ++c) {
    const float mean = spec.input.mean[c];
    const float std = spec.input.std[c];
    Require(std::isfinite(mean) && std::isfinite(std) && std > 0, "channel ", c,
            ": mean must be finite and std above 0, are ", mean, " and ", std);
  }
  CheckTraining(spec);
}

void CheckStep(const StepParams& step) {
  Require(step.step >= 1, "steps count from 1, got ", step.step);
  Require(step.epoch >= 0, "epochs count from 0, got ", step.epoch);
  Require(std::isfinite(step.learning_rate) && step.learning_rate >= 0,
          "learning rate must be 0 or more, is ", step.learning_rate);
}

void CheckCount(const char* what, size_t actual, int64_t expected) {
  Require(actual == static_cast<size_t>(expected), what, ": expected ",
          expected, " values, got ", actual);
}

StagedImages StagedSets::Add(const EngineSpec& spec, ImageView images) {
  CheckViewShape(spec, images);
  Require(!images.pixels.empty(), "there are no images to stage");
  sets_.push_back(images);
  return {static_cast<int64_t>(sets_.size()) - 1};
}

const ImageView& StagedSets::Get(StagedImages staged) const {
  Require(staged.id >= 0 && staged.id < static_cast<int64_t>(sets_.size()),
          "no images were staged with this engine as number ", staged.id);
  return sets_[static_cast<size_t>(staged.id)];
}

CheckedBatch::CheckedBatch(const EngineSpec& spec, const StagedSets& sets,
                           const Batch& batch)
    : images_(batch.images),
      indices_(batch.indices),
      sample_ids_(batch.sample_ids) {
  const bool staged = batch.staged.id >= 0;
  Require(staged || indices_.empty(), "indices need staged images");
  Require(!staged || batch.images.pixels.empty(),
          "a batch has staged images or pixels of its own, not both");
  if (staged) {
    images_ = sets.Get(batch.staged);
    for (size_t i = 0; i < indices_.size(); ++i) {
      Require(indices_[i] >= 0 && indices_[i] < images_.count(), "index ",
              indices_[i], " at place ", i, " of the batch: there are ",
              images_.count(), " staged images");
    }
    count_ = static_cast<int64_t>(indices_.size());
  } else {
    CheckViewShape(spec, images_);
    count_ = images_.count();
  }
  Require(count_ >= 1 && count_ <= spec.batch_size, "a batch must have 1 to ",
          spec.batch_size, " images, this one has ", count_);
  if (!sample_ids_.empty())
    CheckCount("sample_ids", sample_ids_.size(), count_);
}

std::span<const uint8_t> CheckedBatch::pixels(int64_t i) const {
  const int64_t image = indices_.empty() ? i : indices_[static_cast<size_t>(i)];
  const auto size = static_cast<size_t>(images_.shape.elements());
  return images_.pixels.subspan(static_cast<size_t>(image) * size, size);
}

int64_t CheckedBatch::sample_id(int64_t i) const {
  const auto at = static_cast<size_t>(i);
  if (!sample_ids_.empty()) return sample_ids_[at];
  return indices_.empty() ? i : indices_[at];
}

void CheckLabels(const EngineSpec& spec, const Batch& batch) {
  const int64_t count = batch.count();
  const int64_t classes = spec.model.classes;
  Require(batch.labels.empty() || batch.label_probabilities.empty(),
          "a batch has labels or label probabilities, not both");
  if (!batch.label_probabilities.empty()) {
    CheckCount("label_probabilities", batch.label_probabilities.size(),
               count * classes);
    const auto width = static_cast<size_t>(classes);
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      CheckProbabilities(batch, i,
                         batch.label_probabilities.subspan(i * width, width));
    }
    return;
  }
  CheckCount("labels", batch.labels.size(), count);
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    const int32_t label = batch.labels[i];
    if (label >= 0 && label < classes) continue;
    throw Error(Concat(ImageText(batch, i), ": label ", label,
                       " is outside 0 … ", classes - 1));
  }
}

}  // namespace alexnet
