// SPDX-License-Identifier: MIT
// Finds the fastest algorithm for each convolution and direction on this
// machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alexnet/dataset.h"
#include "alexnet/engine.h"

namespace alexnet {

// What one choice of algorithms took in one layer: the lowest of all steps.
struct TunedTime {
  std::string layer;
  Shape3 input;
  Conv2dSpec conv;
  std::string algorithms;  // forward, backward data, backward weights
  double forward = 0;      // seconds
  double backward = 0;     // both passes together
  bool chosen_forward = false;
  bool chosen_backward = false;
};

struct Tuning {
  std::string kernel_plan;  // for EngineSpec::kernel_plan
  std::vector<TunedTime> times;
};

// Runs `steps` steps with each choice in turn, one engine after the other.
// `spec` is that of a CPU engine; its batch size and threads count.
Tuning Tune(const EngineSpec& spec, const Dataset& dataset, int64_t steps);

}  // namespace alexnet
