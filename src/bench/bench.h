// SPDX-License-Identifier: MIT
// Times training steps or inference and sets them against the machine's
// ceilings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alexnet/dataset.h"
#include "alexnet/engine.h"

namespace alexnet {

struct BenchOptions {
  bool training = true;
  int64_t steps = 10;  // timed
  int64_t warmup = 2;  // before them
  double learning_rate = 1e-4;
};

struct Spread {  // seconds
  double median = 0;
  double lowest = 0;
  double highest = 0;
};

struct BenchResult {
  Spread step;
  StepTimes phases;                // medians; training only
  std::vector<LayerTimes> layers;  // medians
  double images_per_s = 0;
  double flops = 0;        // of a step by direct convolution
  double bytes = 0;        // that a step must move for parameters and moments
  double flops_per_s = 0;  // this machine's
  double bytes_per_s = 0;
  // max(flops / flops_per_s, bytes / bytes_per_s): direct convolution at the
  // machine's full speed, with memory traffic hidden behind it.
  double floor_s = 0;
  double peak_rss_mb = 0;  // MiB of ru_maxrss, the whole process so far
  double first_loss = 0;
  double last_loss = 0;
};

// `engine` must be initialised. Batches of its batch size are taken from
// `dataset` in order; a training step includes the resize.
BenchResult RunBench(Engine& engine, const Dataset& dataset,
                     const BenchOptions& options);

// Multiply-adds, times two, of one training step or forward pass.
double StepFlops(const ModelSpec& model, int64_t images, bool training);

}  // namespace alexnet
