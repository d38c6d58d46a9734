// SPDX-License-Identifier: MIT
// The kernels of our own. All sums are made in a fixed order: the same input
// gives the same bits. Activations are N × H × W × C of float32 or bfloat16
// (Type), the input as InputBlocks says; parameters and their gradients are
// float32.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/resize.h"
#include "engine/cuda/flat_tile.h"
#include "engine/cuda/input_blocks.h"
#include "engine/formulas.h"
#include "engine/optimizer.h"

namespace alexnet::cuda {

// The most elements of an activation that the kernels count, a slice together.
inline constexpr int64_t kMostElements = int64_t{1} << 30;

enum class Type { kFloat32, kBfloat16 };

inline int64_t Bytes(Type type) { return type == Type::kFloat32 ? 4 : 2; }

// What a step needs to know, on the device; the arrays follow one another in
// the same block, each for all images of the step's slices.
struct StepInput {
  const uint8_t* pixels = nullptr;
  int64_t epoch = 0;
  int32_t count = 0;  // images; places beyond are filled with zeros
  int32_t soft_labels = 0;
};

// What a step leaves.
struct StepOutput {
  double loss = 0;  // the sum over the images
  int64_t correct = 0;
  double gradient_norm = 0;  // before clipping; 0 where that is not asked for
  float gradient_scale = 1;  // what clipping leaves of the gradients
  // The first parameter whose gradient is not finite; kGoodGradients, or
  // kBadLoss.
  int32_t bad = 0;
};
inline constexpr int32_t kGoodGradients = 0x7FFFFFFF;
inline constexpr int32_t kBadLoss = -1;

// Where the parts of the step's block lie.
struct StepBlock {
  const StepInput* input = nullptr;
  const UpdateCoefficients* updates = nullptr;  // of each parameter
  const int64_t* images = nullptr;              // in the pixels
  const int64_t* samples = nullptr;             // for the dropout masks
  const int32_t* labels = nullptr;
  const float* probabilities = nullptr;
  StepOutput* output = nullptr;
};

// A slice: `images` of them from `first` of the step on.
struct SliceOf {
  StepBlock step;
  int64_t first = 0;
  int64_t images = 0;
};

struct InputSpec {
  ResizeTable across;
  ResizeTable down;
  InputBlocks blocks;
  int64_t source_height = 0;
  const float* normalised = nullptr;  // of each channel's 256 bytes
};

// Gathers, resizes as Pillow does, normalises; in the layout of spec.blocks.
void MakeInput(void* out, Type type, const InputSpec& spec,
               const SliceOf& slice, cudaStream_t stream);

void ReluForward(void* x, Type type, int64_t n, cudaStream_t stream);
// dy = scale·dy where y > 0, else 0.
void ReluBackward(void* dy, const void* y, double scale, Type type, int64_t n,
                  cudaStream_t stream);

// Both ways: in place on values, or on gradients.
void Dropout(void* x, Type type, const Shape3& shape, const DropoutMask& mask,
             const SliceOf& slice, cudaStream_t stream);

// x + bias[channel], then ReLU.
struct BiasRelu {
  const float* bias = nullptr;  // null: x stays
  bool relu = false;
};

// In place, channels fastest.
void AddBias(void* x, Type type, const BiasRelu& bias, int64_t rows,
             int64_t channels, cudaStream_t stream);

// What a BiasGradient needs beside: sums of parts of the rows, and how many
// blocks are done, which it leaves at 0.
inline constexpr int64_t kBiasParts = 264;  // two blocks for each of 132 SMs
struct BiasScratch {
  float* parts = nullptr;    // kBiasParts × channels
  uint32_t* done = nullptr;  // one for each channel, at most
};

// dbias = Σ over rows of dy (added to it if `accumulate`); with `y`, dy is
// first masked and scaled as ReluBackward does.
void BiasGradient(float* dbias, void* dy, const void* y, double scale,
                  Type type, int64_t rows, int64_t channels, bool accumulate,
                  const BiasScratch& scratch, cudaStream_t stream);

// y = the window's largest x, with `bias` added; argmax its place in the
// window.
void PoolForward(void* y, uint8_t* argmax, const Shape3& y_shape, const void* x,
                 const Shape3& x_shape, Type type, const MaxPool2dSpec& pool,
                 const BiasRelu& bias, int64_t images, cudaStream_t stream);
void PoolBackward(void* dx, const Shape3& x_shape, const void* dy,
                  const uint8_t* argmax, const Shape3& y_shape, Type type,
                  const MaxPool2dSpec& pool, int64_t images,
                  cudaStream_t stream);

void NormForward(void* y, const void* x, const Shape3& shape, Type type,
                 const LocalResponseNormSpec& norm, int64_t images,
                 cudaStream_t stream);
void NormBackward(void* dx, const void* dy, const void* x, const Shape3& shape,
                  Type type, const LocalResponseNormSpec& norm, int64_t images,
                  cudaStream_t stream);

// Over each map. Backward replaces dy.
void MapNormForward(void* y, const void* x, const Shape3& shape, Type type,
                    const MapResponseNormSpec& norm, int64_t images,
                    cudaStream_t stream);
void MapNormBackward(void* dx, void* dy, const void* x, const Shape3& shape,
                     Type type, const MapResponseNormSpec& norm, int64_t images,
                     cudaStream_t stream);

// What Loss needs beside: what each image has, and how many blocks are done,
// which it leaves at 0.
struct RowLoss {
  double loss = 0;
  bool correct = false;
};
struct LossScratch {
  RowLoss* rows = nullptr;   // of a slice
  uint32_t* done = nullptr;  // one
};

// Softmax and cross-entropy of a slice: adds to output->loss and ->correct,
// leaves the gradient for the mean over the step's images.
void Loss(void* gradient, Type type, const float* logits, int64_t classes,
          double smoothing, const SliceOf& slice, const LossScratch& scratch,
          cudaStream_t stream);

// A filter's taps as ParameterPlace has them.
struct FilterTaps {
  int32_t height = 1;
  int32_t width = 1;
  int32_t channels = 1;
  int32_t block = 1;
};

// gradient (+)= dw, which is float32 or bfloat16; 0 for taps that are none.
void KeepGradient(float* gradient, const void* dw, Type type, int64_t n,
                  const FilterTaps& taps, bool accumulate, cudaStream_t stream);

// Before the first slice: no loss yet, nothing bad, gradients as they are.
void BeginStep(const StepBlock& step, cudaStream_t stream);

// The trained parameters' part of the flat arrays, on the device.
struct FlatTiles {
  const FlatTile* tiles = nullptr;
  int32_t count = 0;
};

// Sets output->bad.
void FindNonFinite(const float* gradients, const FlatTiles& flat,
                   const StepBlock& step, cudaStream_t stream);

// Sets output->gradient_norm and ->gradient_scale for gradients that are
// finite. `squares` has room for a value of each tile.
void ClipGradients(const float* gradients, double limit, double* squares,
                   const FlatTiles& flat, const StepBlock& step,
                   cudaStream_t stream);

// The optimizer's step for the parameters in `flat`, unless output->bad says
// no. `copy` is their bfloat16 copy, or null.
void Update(const ParameterTile& values, const float* gradients, void* copy,
            const FlatTiles& flat, const StepBlock& step, cudaStream_t stream);

void CopyAsBfloat16(void* to, const float* from, int64_t n,
                    cudaStream_t stream);

// Convolution as the formula says: for what cuDNN has no kernel for.
struct DirectConv {
  Conv2dSpec conv;
  Shape3 x;
  Shape3 y;
  int64_t images = 0;
  Type type = Type::kFloat32;
};
void DirectForward(void* y, const void* x, const void* w,
                   const DirectConv& conv, cudaStream_t stream);
void DirectBackwardData(void* dx, const void* dy, const void* w,
                        const DirectConv& conv, cudaStream_t stream);
void DirectBackwardWeights(float* dw, const void* dy, const void* x,
                           const DirectConv& conv, cudaStream_t stream);

}  // namespace alexnet::cuda
