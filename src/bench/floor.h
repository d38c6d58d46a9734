// SPDX-License-Identifier: MIT
// What a step would take by direct convolution at the machine's full speed.
#pragma once

#include <cstdint>

#include "alexnet/engine.h"

namespace alexnet {

struct Floor {
  double flops = 0;        // of a step by direct convolution
  double bytes = 0;        // that it must move for parameters and moments
  double flops_per_s = 0;  // this machine's, measured
  double bytes_per_s = 0;
  // The larger of the two times: memory traffic hidden behind the arithmetic,
  // or the other way round.
  double seconds = 0;
};

// Takes about half a second and 400 MB of memory.
Floor MeasureFloor(const EngineSpec& spec);

// Multiply-adds, times two, of one training step or forward pass.
double StepFlops(const ModelSpec& model, int64_t images, bool training);

}  // namespace alexnet
