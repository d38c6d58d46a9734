// SPDX-License-Identifier: MIT
// Our own kernels, compiled once per instruction set from kernels-inl.h and
// picked at run time. All of them share their work among OpenMP's threads in
// fixed parts, so that the result depends on nothing but the arguments.
#pragma once

#include <cstdint>

#include "core/bfloat16.h"
#include "core/isa.h"
#include "engine/optimizer.h"

namespace alexnet::cpu {

struct DropoutWork {
  float* values;  // images × elements
  int64_t images;
  int64_t elements;  // of an image
  const int64_t* sample_ids;
  int64_t layer;
  int64_t epoch;
  uint64_t seed;
  uint32_t threshold;
  float scale;
};

struct LinearForwardWork {
  float* outputs;        // images × out
  const float* inputs;   // images × in
  void* packed_inputs;   // scratch of LinearScratchBytes
  const float* weights;  // out × in; null if there are only those below
  const Bfloat16* weights_bf16;  // out × in, or null: rounded on their way
  const float* bias;             // out
  int64_t images;
  int64_t in;
  int64_t out;
  bool relu;
};

// Packed values of a linear layer: whole vectors of float32, or bfloat16 in
// tiles of 32 × 32, of which fewer than 16 images are not made.
constexpr int64_t LinearScratchBytes(int64_t images, int64_t values) {
  const auto round_up = [](int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
  };
  const int64_t vectors = images * round_up(values * 4, 64);
  const int64_t tiles =
      images < 16 ? 0 : round_up(images, 32) * round_up(values, 32) * 2;
  return vectors < tiles ? tiles : vectors;
}

struct LinearUpdateWork {
  ParameterTile weights;    // out × in
  const float* inputs;      // images × in
  const float* gradients;   // images × out
  float* packed;            // scratch of linear_pack_bytes and
                            // LinearScratchBytes, 64-byte aligned
  float* packed_gradients;  // scratch of LinearScratchBytes(images, out)
  int64_t images;
  int64_t in;
  int64_t out;
};

// ResizeAxis (core/resize.h) as bare pointers.
struct AxisTable {
  int64_t in;
  int64_t out;
  int64_t taps;
  const int32_t* first;
  const int32_t* count;
  const int32_t* weights;
};

struct InputWork {
  AxisTable across;
  AxisTable down;
  const uint8_t* const* pixels;  // of each image, planar
  int64_t images;
  int64_t channels;
  const float* mean;  // channels
  const float* std;
  uint8_t* scratch;  // images × channels × down.in × across.out
  float* out;        // images × C × H × W
};

// The windows that cover a place of a map, on one side.
struct PoolCover {
  int32_t begin;
  int32_t end;
};

// One side of a max pooling: of height or width.
struct PoolSide {
  int64_t in;
  int64_t out;
  int64_t kernel;
  int64_t stride;
  int64_t padding;                    // before the first place
  const PoolCover* covers = nullptr;  // of each place; for the gradient
};

// Maps are [plane][height][width][lanes]: of C channels one plane with C lanes,
// C with one, or ⌈C/B⌉ blocks with B, for each image. Channels that fill up the
// last block are zeros and stay it.
struct MaxPoolShape {
  PoolSide down;
  PoolSide across;
  int64_t planes;
  int64_t lanes;
  bool bfloat16;  // maps; else float32

  // A winner is its place in its window, row by row; −1, in the winners' type,
  // says that the ReLU lets no gradient through. Bytes where they suffice, else
  // int32. Always inlined: a copy of its own could be one for a newer machine.
  [[gnu::always_inline]] bool winners_are_bytes() const {
    return down.kernel * across.kernel <= UINT8_MAX;
  }
};

struct MaxPoolWork {
  MaxPoolShape shape;
  bool relu;  // y ← max(y, 0)
  const void* input;
  void* output;
  void* winners;  // of each output, or null
};

struct MaxPoolGradientWork {
  MaxPoolShape shape;
  const void* output_gradient;
  const void* winners;
  void* input_gradient;
};

struct Kernels {
  // x ← max(x, 0)
  void (*relu)(float* x, int64_t n);
  // dy ← dy where y > 0, else 0
  void (*relu_mask)(const float* y, float* dy, int64_t n);
  // sum(n) ← Σ of the rows of x(rows × n)
  void (*sum_rows)(const float* x, int64_t rows, int64_t n, float* sum);
  // to ← to + from
  void (*add)(const float* from, float* to, int64_t n);
  bool (*all_finite)(const float* x, int64_t n);
  void (*relu_bf16)(Bfloat16* x, int64_t n);
  void (*relu_mask_bf16)(const Bfloat16* y, Bfloat16* dy, int64_t n);
  bool (*all_finite_bf16)(const Bfloat16* x, int64_t n);
  // NaN if there is one
  float (*max_abs)(const float* x, int64_t n);
  // x ← x · scale or 0, by the mask of core/philox.h
  void (*dropout)(const DropoutWork& work);
  // Σ x², in double
  double (*sum_squares)(const float* x, int64_t n);
  // Σ x·y, in double
  double (*dot)(const float* x, const float* y, int64_t n);
  // UpdateTile (engine/optimizer.h) on n elements
  void (*update)(const ParameterTile& values, const float* g, int64_t n,
                 const UpdateCoefficients& step);
  // y = x·wᵀ + bias, then max(·, 0) if asked
  void (*linear_forward)(const LinearForwardWork& work);
  // The same with inputs and weights rounded to bfloat16, sums in float32; null
  // where the instruction set has no such products.
  void (*linear_forward_bf16)(const LinearForwardWork& work);
  int64_t (*linear_pack_bytes)(int64_t images, int64_t in);
  // UpdateTile with the gradient dW[k, c] = Σ_n dy[n, k]·x[n, c]
  void (*linear_update)(const LinearUpdateWork& work,
                        const UpdateCoefficients& step);
  void (*max_pool)(const MaxPoolWork& work);
  void (*max_pool_gradient)(const MaxPoolGradientWork& work);
  // Pillow's resize (core/resize.h), then (x/255 − mean)/std
  void (*make_input)(const InputWork& work);
  // A register-bound multiply-add loop on the calling thread: returns the
  // floating-point operations done. The machine's ceiling, for the bench.
  int64_t (*multiply_add_loop)(int64_t rounds);
};

// `isa` must be supported by this machine.
const Kernels& KernelsFor(Isa isa);

}  // namespace alexnet::cpu
