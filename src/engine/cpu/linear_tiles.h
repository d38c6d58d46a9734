// SPDX-License-Identifier: MIT
// The linear layers' products in bfloat16 by AMX (tiles.h), from a tile's worth
// of images on: kernels.h has those for fewer, which round otherwise. Inputs,
// gradients and weights are float32 and rounded on their way; sums stay
// float32.
#pragma once

#include "engine/cpu/kernels.h"
#include "engine/cpu/tiles.h"

namespace alexnet::cpu {

// dx = dy·w
struct LinearBackwardWork {
  float* input_gradients;  // images × in
  const float* gradients;  // images × out
  void* packed_gradients;  // scratch of LinearScratchBytes(images, out)
  const float* weights;    // out × in
  int64_t images;          // at least kTileSide, here and in the others
  int64_t in;
  int64_t out;
};

// LinearScratchBytes counts in these.
static_assert(kTileSide == 16 && kTileValues == 32);

struct LinearTileKernels {
  void (*forward)(const LinearForwardWork& work);
  void (*backward)(const LinearBackwardWork& work);
  void (*update)(const LinearUpdateWork& work, const UpdateCoefficients& step);
};

// Null where there is no AMX in this build or instruction set.
const LinearTileKernels* LinearTileKernelsFor(Isa isa);

}  // namespace alexnet::cpu
