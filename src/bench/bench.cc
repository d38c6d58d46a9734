// SPDX-License-Identifier: MIT
#include "bench/bench.h"

#include <algorithm>
#include <chrono>

#include "core/machine.h"

namespace alexnet {
namespace {

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

double MedianPhase(const std::vector<StepTimes>& times,
                   double StepTimes::*phase) {
  std::vector<double> values;
  for (const StepTimes& step : times) values.push_back(step.*phase);
  return SpreadOf(values).median;
}

// What every step took.
struct Timings {
  std::vector<double> seconds;
  std::vector<StepTimes> phases;
  std::vector<std::vector<LayerTimes>> layers;
  double first_loss = 0;
  double last_loss = 0;
};

// Each layer's time over the steps, by Spread::median or Spread::lowest.
std::vector<LayerTimes> OverSteps(
    const std::vector<std::vector<LayerTimes>>& steps, double Spread::*which) {
  std::vector<LayerTimes> result = steps.front();
  for (size_t i = 0; i < result.size(); ++i) {
    for (double LayerTimes::*part :
         {&LayerTimes::forward, &LayerTimes::backward, &LayerTimes::update}) {
      std::vector<double> values;
      for (const auto& layers : steps) values.push_back(layers[i].*part);
      result[i].*part = SpreadOf(values).*which;
    }
  }
  return result;
}

// Batches in the data set's order, over and over.
class Batches {
 public:
  Batches(Engine& engine, const Dataset& dataset)
      : dataset_(dataset), size_(engine.spec().batch_size) {
    const ImageView images = engine.spec().device == Device::kCuda
                                 ? dataset.LoadedView()
                                 : dataset.staged_view();
    if (!images.pixels.empty()) staged_ = engine.Stage(images);
    if (staged_.id < 0) {
      pixels_.resize(
          static_cast<size_t>(size_ * dataset.image_shape().elements()));
    }
  }

  Batch Next() {
    indices_.clear();
    labels_.clear();
    for (int64_t i = 0; i < size_; ++i, ++at_) {
      const int64_t image = at_ % dataset_.size();
      indices_.push_back(dataset_.sample_id(image));
      labels_.push_back(dataset_.label(image));
      if (!pixels_.empty()) dataset_.Read(image, PixelsOf(i));
    }
    Batch batch;
    batch.labels = labels_;
    if (pixels_.empty()) {
      batch.staged = staged_;
      batch.indices = indices_;
    } else {
      batch.images = {pixels_, dataset_.image_shape()};
      batch.sample_ids = indices_;
    }
    return batch;
  }

 private:
  // Of the batch's i-th image.
  std::span<uint8_t> PixelsOf(int64_t i) {
    const auto bytes = static_cast<size_t>(dataset_.image_shape().elements());
    return std::span(pixels_).subspan(static_cast<size_t>(i) * bytes, bytes);
  }

  const Dataset& dataset_;
  int64_t size_;
  StagedImages staged_;
  std::vector<uint8_t> pixels_;  // of sets that cannot be staged
  int64_t at_ = 0;
  std::vector<int64_t> indices_;
  std::vector<int32_t> labels_;
};

Timings TimeSteps(Engine& engine, const Dataset& dataset,
                  const BenchOptions& options) {
  Batches batches(engine, dataset);
  std::vector<float> logits(static_cast<size_t>(engine.spec().batch_size *
                                                engine.spec().model.classes));
  Timings timings;
  for (int64_t i = 0; i < options.warmup + options.steps; ++i) {
    const Batch batch = batches.Next();
    const auto start = std::chrono::steady_clock::now();
    StepResult step;
    if (options.training) {
      step = engine.Wait(engine.TrainStep(
          batch,
          {.step = i + 1, .epoch = 0, .learning_rate = options.learning_rate}));
    } else {
      engine.Infer(batch, logits);
    }
    const std::chrono::duration<double> taken =
        std::chrono::steady_clock::now() - start;
    if (i == 0) timings.first_loss = step.loss;
    timings.last_loss = step.loss;
    if (i < options.warmup) continue;
    timings.seconds.push_back(taken.count());
    timings.phases.push_back(step.times);
    timings.layers.push_back(engine.layer_times());
  }
  return timings;
}

}  // namespace

std::vector<LayerTimes> FastestLayers(Engine& engine, const Dataset& dataset,
                                      const BenchOptions& options) {
  return OverSteps(TimeSteps(engine, dataset, options).layers, &Spread::lowest);
}

BenchResult RunBench(Engine& engine, const Dataset& dataset,
                     const BenchOptions& options) {
  const EngineSpec& spec = engine.spec();
  const Timings timings = TimeSteps(engine, dataset, options);
  const auto phase = [&](double StepTimes::*which) {
    return MedianPhase(timings.phases, which);
  };
  BenchResult result;
  result.first_loss = timings.first_loss;
  result.last_loss = timings.last_loss;
  result.layers = OverSteps(timings.layers, &Spread::median);
  result.step = SpreadOf(timings.seconds);
  result.phases = {.input = phase(&StepTimes::input),
                   .forward = phase(&StepTimes::forward),
                   .backward = phase(&StepTimes::backward),
                   .update = phase(&StepTimes::update)};
  result.images_per_s =
      static_cast<double>(spec.batch_size) / result.step.median;
  // Before the ceilings are measured, whose buffers are large.
  result.peak_rss_mb = MiB(PeakResidentMemory());
  result.floor = MeasureFloor(spec);
  return result;
}

}  // namespace alexnet
