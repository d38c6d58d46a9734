// SPDX-License-Identifier: MIT
#include "bench/bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "engine/cpu/machine_peak.h"

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

std::vector<LayerTimes> MedianLayers(
    const std::vector<std::vector<LayerTimes>>& steps) {
  std::vector<LayerTimes> result = steps.front();
  for (size_t i = 0; i < result.size(); ++i) {
    for (double LayerTimes::*part :
         {&LayerTimes::forward, &LayerTimes::backward, &LayerTimes::update}) {
      std::vector<double> values;
      for (const auto& layers : steps) values.push_back(layers[i].*part);
      result[i].*part = SpreadOf(values).median;
    }
  }
  return result;
}

double PeakRssMiB() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// Batches in the data set's order, over and over.
class Batches {
 public:
  Batches(Engine& engine, const Dataset& dataset)
      : dataset_(dataset), size_(engine.spec().batch_size) {
    staged_ = engine.Stage(dataset.staged_view());
  }

  Batch Next() {
    indices_.clear();
    labels_.clear();
    for (int64_t i = 0; i < size_; ++i, ++at_) {
      const int64_t image = at_ % dataset_.size();
      indices_.push_back(dataset_.sample_id(image));
      labels_.push_back(dataset_.label(image));
    }
    Batch batch;
    batch.staged = staged_;
    batch.indices = indices_;
    batch.labels = labels_;
    return batch;
  }

 private:
  const Dataset& dataset_;
  int64_t size_;
  StagedImages staged_;
  int64_t at_ = 0;
  std::vector<int64_t> indices_;
  std::vector<int32_t> labels_;
};

// Bytes that no step can avoid: inference reads the parameters, training with
// Adam also writes them and reads and writes both moments.
double StepBytes(const ModelSpec& model, bool training) {
  const double parameters = 4.0 * static_cast<double>(ParameterCount(model));
  return parameters * (training ? 7 : 1);
}

}  // namespace

double StepFlops(const ModelSpec& model, int64_t images, bool training) {
  double macs = 0;
  bool first = true;
  for (const LayerInfo& layer : InferLayers(model)) {
    // Forward, the weights' gradient and, except before the first layer, the
    // data's gradient cost the same.
    const int passes = !training ? 1 : first ? 2 : 3;
    macs += passes * static_cast<double>(layer.macs);
    if (layer.macs > 0) first = false;
  }
  return 2 * macs * static_cast<double>(images);
}

BenchResult RunBench(Engine& engine, const Dataset& dataset,
                     const BenchOptions& options) {
  const EngineSpec& spec = engine.spec();
  Batches batches(engine, dataset);
  std::vector<double> seconds;
  std::vector<StepTimes> phases;
  std::vector<std::vector<LayerTimes>> layers;
  std::vector<float> logits(
      static_cast<size_t>(spec.batch_size * spec.model.classes));
  BenchResult result;
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
    if (i == 0) result.first_loss = step.loss;
    result.last_loss = step.loss;
    if (i < options.warmup) continue;
    seconds.push_back(taken.count());
    phases.push_back(step.times);
    layers.push_back(engine.layer_times());
  }
  result.layers = MedianLayers(layers);
  result.step = SpreadOf(seconds);
  result.phases = {.input = MedianPhase(phases, &StepTimes::input),
                   .forward = MedianPhase(phases, &StepTimes::forward),
                   .backward = MedianPhase(phases, &StepTimes::backward),
                   .update = MedianPhase(phases, &StepTimes::update)};
  result.images_per_s =
      static_cast<double>(spec.batch_size) / result.step.median;
  // Before the ceilings are measured, whose buffers are large.
  result.peak_rss_mb = PeakRssMiB();
  const cpu::MachinePeak peak = cpu::MeasurePeak(spec.threads);
  result.flops = StepFlops(spec.model, spec.batch_size, options.training);
  result.bytes = StepBytes(spec.model, options.training);
  result.flops_per_s = peak.flops_per_s;
  result.bytes_per_s = peak.bytes_per_s;
  result.floor_s = std::max(result.flops / peak.flops_per_s,
                            result.bytes / peak.bytes_per_s);
  return result;
}

}  // namespace alexnet
