// SPDX-License-Identifier: MIT
// Times training steps or inference and sets them against the machine's
// ceilings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alexnet/dataset.h"
#include "alexnet/engine.h"
#include "bench/floor.h"

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
  Floor floor;
  double peak_rss_mb = 0;      // MiB of ru_maxrss, the whole process so far
  double planned_peak_mb = 0;  // as known before the first step; by the caller
  double first_loss = 0;
  double last_loss = 0;
};

// The lowest times of each layer.
std::vector<LayerTimes> FastestLayers(Engine& engine, const Dataset& dataset,
                                      const BenchOptions& options);

// `engine` must be initialised. Batches of its batch size are taken from
// `dataset` in order; a training step includes the resize.
BenchResult RunBench(Engine& engine, const Dataset& dataset,
                     const BenchOptions& options);

}  // namespace alexnet
