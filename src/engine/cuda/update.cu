// SPDX-License-Identifier: MIT
// From logits to loss, and from gradients to new parameters.
#include "engine/cuda/device.cuh"
#include "engine/loss.h"

namespace alexnet::cuda {
namespace {

__global__ void BeginStepKernel(StepOutput* output) {
  *output = StepOutput{.bad = kGoodGradients};
}

// What the threads of a block have for one another.
struct RowShared {
  double sums[kThreads];
  float values[kThreads];
  int32_t places[kThreads];
};

// ArgMax by a block.
__device__ int32_t BlockArgMax(std::span<const float> row, RowShared& shared) {
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const auto classes = static_cast<int32_t>(row.size());
  int32_t place = thread < classes ? thread : -1;
  float value = place < 0 ? 0.0F : row[place];
  for (auto c = thread + static_cast<int32_t>(blockDim.x); c < classes;
       c += static_cast<int32_t>(blockDim.x)) {
    if (!IsLarger(row[c], value)) continue;
    value = row[c];
    place = c;
  }
  __syncthreads();  // the last call's have been read
  shared.values[thread] = value;
  shared.places[thread] = place;
  for (auto half = static_cast<int32_t>(blockDim.x / 2); half > 0; half /= 2) {
    __syncthreads();
    if (thread >= half || shared.places[thread + half] < 0) continue;
    const float other = shared.values[thread + half];
    const bool first = shared.places[thread] < shared.places[thread + half];
    if (IsLarger(shared.values[thread], other) ||
        (first && !IsLarger(other, shared.values[thread]))) {
      continue;
    }
    shared.values[thread] = other;
    shared.places[thread] = shared.places[thread + half];
  }
  __syncthreads();
  return shared.places[0];
}

// CrossEntropy by a block. `gradient` may be null.
template <class T, class Target>
__device__ double BlockCrossEntropy(T* gradient, std::span<const float> row,
                                    int32_t largest, const Target& target,
                                    double scale, RowShared& shared) {
  const auto top = static_cast<double>(row[largest]);
  double sum = 0;
  for (size_t c = threadIdx.x; c < row.size(); c += blockDim.x) {
    sum += std::exp(static_cast<double>(row[c]) - top);
  }
  const double log_sum = top + std::log(BlockSum(sum, shared.sums));
  double loss = 0;
  double weights = 0;
  for (size_t c = threadIdx.x; c < row.size(); c += blockDim.x) {
    const double t = target(c);
    weights += t;
    loss += LossTerm(t, log_sum, row[c]);
  }
  const double total = BlockSum(weights, shared.sums);
  for (size_t c = threadIdx.x; gradient != nullptr && c < row.size();
       c += blockDim.x) {
    Store(gradient + c, static_cast<float>(LogitGradient(
                            target(c), total, log_sum, row[c], scale)));
  }
  return BlockSum(loss, shared.sums);
}

template <class T>
__device__ RowLoss LossOfRow(T* gradient, std::span<const float> row,
                             double smoothing, int64_t image,
                             const StepBlock& step, RowShared& shared) {
  const double scale = 1.0 / step.input->count;
  const int32_t largest = BlockArgMax(row, shared);
  if (step.input->soft_labels == 0) {
    const int32_t label = step.labels[image];
    const LabelTarget target(label, row.size(), smoothing);
    return {BlockCrossEntropy(gradient, row, largest, target, scale, shared),
            largest == label};
  }
  const std::span<const float> probabilities(
      step.probabilities + image * row.size(), row.size());
  const bool correct = largest == BlockArgMax(probabilities, shared);
  const SoftTarget target(probabilities, smoothing);
  return {BlockCrossEntropy(gradient, row, largest, target, scale, shared),
          correct};
}

// A block a row; the last one adds up the rows, always in the same order.
template <class T>
__global__ void LossKernel(T* gradient, const float* logits, int64_t classes,
                           double smoothing, SliceOf slice,
                           LossScratch scratch) {
  __shared__ RowShared shared;
  __shared__ int64_t hits[kThreads];
  const auto n = static_cast<int64_t>(blockIdx.x);
  const StepBlock& step = slice.step;
  const std::span<const float> row(logits + n * classes,
                                   static_cast<size_t>(classes));
  T* out = gradient == nullptr ? nullptr : gradient + n * classes;
  RowLoss mine;
  if (slice.first + n < step.input->count) {
    mine = LossOfRow(out, row, smoothing, slice.first + n, step, shared);
  } else {
    for (int64_t c = threadIdx.x; out != nullptr && c < classes;
         c += blockDim.x) {
      Store(out + c, 0.0F);
    }
  }
  if (threadIdx.x == 0) scratch.rows[n] = mine;
  if (!IsLastBlock(scratch.done, gridDim.x)) return;
  double loss = 0;
  int64_t correct = 0;
  for (int64_t i = threadIdx.x; i < slice.images; i += blockDim.x) {
    loss += scratch.rows[i].loss;
    correct += scratch.rows[i].correct ? 1 : 0;
  }
  const double loss_sum = BlockSum(loss, shared.sums);
  const int64_t correct_sum = BlockSum(correct, hits);
  if (threadIdx.x == 0) {
    step.output->loss += loss_sum;
    step.output->correct += correct_sum;
  }
}

// Whether element i of a filter lies within it: ParameterPlace::At backwards.
__device__ bool IsTap(const FilterTaps& taps, int32_t i) {
  if (taps.block == 1) return true;
  const int32_t across = BlocksIn(taps.width, taps.block);
  const int32_t down = BlocksIn(taps.height, taps.block);
  i /= taps.channels;
  const int32_t in_block = i % (taps.block * taps.block);
  const int32_t block = i / (taps.block * taps.block) % (down * across);
  return block / across * taps.block + in_block / taps.block < taps.height &&
         block % across * taps.block + in_block % taps.block < taps.width;
}

template <class T>
__global__ void KeepGradientKernel(float* gradient, const T* dw, int64_t n,
                                   FilterTaps taps, bool accumulate) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const float value = IsTap(taps, i) ? Load(dw + i) : 0.0F;
    gradient[i] = accumulate ? gradient[i] + value : value;
  }
}

// Four values, loaded and stored as one: the flat arrays are aligned, and the
// gaps in them are zeros.
struct Quad {
  float x[4];
};

__device__ __forceinline__ Quad LoadQuad(const float* from) {
  const float4 q = *reinterpret_cast<const float4*>(from);
  return {{q.x, q.y, q.z, q.w}};
}

__device__ __forceinline__ void StoreQuad(float* to, const Quad& q) {
  *reinterpret_cast<float4*>(to) = make_float4(q.x[0], q.x[1], q.x[2], q.x[3]);
}

// Calls visit(first element) for this thread's groups of four in a tile.
template <class Visit>
__device__ void ForEachQuad(const FlatTile& tile, const Visit& visit) {
  for (auto i = static_cast<int32_t>(4 * threadIdx.x); i < tile.elements;
       i += static_cast<int32_t>(4 * blockDim.x)) {
    visit(tile.begin + i);
  }
}

__global__ void FindNonFiniteKernel(const float* gradients, FlatTiles flat,
                                    StepOutput* output) {
  if (FirstElement() == 0 && !isfinite(output->loss)) {
    atomicMin(&output->bad, kBadLoss);
  }
  for (auto t = static_cast<int32_t>(blockIdx.x); t < flat.count;
       t += static_cast<int32_t>(gridDim.x)) {
    const FlatTile tile = flat.tiles[t];
    ForEachQuad(tile, [&](int64_t i) {
      for (const float g : LoadQuad(gradients + i).x) {
        if (!isfinite(g)) atomicMin(&output->bad, tile.parameter);
      }
    });
  }
}

__global__ void SquaresKernel(double* squares, const float* gradients,
                              FlatTiles flat) {
  __shared__ double sums[kThreads];
  for (auto t = static_cast<int32_t>(blockIdx.x); t < flat.count;
       t += static_cast<int32_t>(gridDim.x)) {
    double sum = 0;
    ForEachQuad(flat.tiles[t], [&](int64_t i) {
      for (const float g : LoadQuad(gradients + i).x) {
        sum += static_cast<double>(g) * static_cast<double>(g);
      }
    });
    const double total = BlockSum(sum, sums);
    if (threadIdx.x == 0) squares[t] = total;
  }
}

// One block: the tiles' sums are added in the same order whatever the GPU.
__global__ void ClipKernel(const double* squares, int32_t count, double limit,
                           StepOutput* output) {
  __shared__ double sums[kThreads];
  if (output->bad != kGoodGradients) return;
  double sum = 0;
  for (auto t = static_cast<int32_t>(threadIdx.x); t < count;
       t += static_cast<int32_t>(blockDim.x)) {
    sum += squares[t];
  }
  const double norm = std::sqrt(BlockSum(sum, sums));
  if (threadIdx.x != 0) return;
  output->gradient_norm = norm;
  output->gradient_scale = static_cast<float>(ClipScale(norm, limit));
}

struct CopyOut {
  __nv_bfloat162* to;
  __device__ void operator()(int64_t i, const Quad& w) const {
    if (to == nullptr) return;
    to[i / 2] = __floats2bfloat162_rn(w.x[0], w.x[1]);
    to[i / 2 + 1] = __floats2bfloat162_rn(w.x[2], w.x[3]);
  }
};

// What the optimizer does not keep is computed all the same and not stored: a
// local array that may be absent would not stay in registers.
__device__ __forceinline__ Quad UpdateQuad(const ParameterTile& at,
                                           const float* gradient,
                                           const UpdateCoefficients& c) {
  Quad w = LoadQuad(at.w);
  Quad m = LoadQuad(at.m);
  Quad v = {};
  Quad average = {};
  if (at.v != nullptr) v = LoadQuad(at.v);
  if (at.average != nullptr) average = LoadQuad(at.average);
  const Quad g = LoadQuad(gradient);
  UpdateTile({w.x, m.x, v.x, average.x}, g.x, 4, c);
  StoreQuad(at.w, w);
  StoreQuad(at.m, m);
  if (at.v != nullptr) StoreQuad(at.v, v);
  if (at.average != nullptr) StoreQuad(at.average, average);
  return w;
}

__global__ void UpdateKernel(ParameterTile values, const float* gradients,
                             CopyOut copy, FlatTiles flat, StepBlock step) {
  if (step.output->bad != kGoodGradients) return;
  const float scale = step.output->gradient_scale;
  for (auto t = static_cast<int32_t>(blockIdx.x); t < flat.count;
       t += static_cast<int32_t>(gridDim.x)) {
    const FlatTile tile = flat.tiles[t];
    UpdateCoefficients update = step.updates[tile.parameter];
    update.gradient_scale = scale;
    ForEachQuad(tile, [&](int64_t i) {
      copy(i, UpdateQuad(At(values, i), gradients + i, update));
    });
  }
}

// A block for each tile, if they are not too many.
unsigned BlocksFor(const FlatTiles& flat) {
  return static_cast<unsigned>(std::clamp<int64_t>(flat.count, 1, kMostBlocks));
}

__global__ void CopyKernel(CopyOut copy, const float* from, int64_t quads) {
  for (int64_t i = FirstElement(); i < quads; i += Stride()) {
    copy(4 * i, LoadQuad(from + 4 * i));
  }
}

}  // namespace

void BeginStep(const StepBlock& step, cudaStream_t stream) {
  Launch("BeginStep", BeginStepKernel, 1, 1, stream, step.output);
}

void Loss(void* gradient, Type type, const float* logits, int64_t classes,
          double smoothing, const SliceOf& slice, const LossScratch& scratch,
          cudaStream_t stream) {
  // Few classes leave nothing to do to more than a warp.
  const int threads = classes <= 64 ? 32 : kThreads;
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("Loss", LossKernel<T>, static_cast<unsigned>(slice.images), threads,
           stream, static_cast<T*>(gradient), logits, classes, smoothing, slice,
           scratch);
  });
}

void KeepGradient(float* gradient, const void* dw, Type type, int64_t n,
                  const FilterTaps& taps, bool accumulate,
                  cudaStream_t stream) {
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("KeepGradient", KeepGradientKernel<T>, BlocksFor(n), kThreads,
           stream, gradient, static_cast<const T*>(dw), n, taps, accumulate);
  });
}

void FindNonFinite(const float* gradients, const FlatTiles& flat,
                   const StepBlock& step, cudaStream_t stream) {
  Launch("FindNonFinite", FindNonFiniteKernel, BlocksFor(flat), kThreads,
         stream, gradients, flat, step.output);
}

void ClipGradients(const float* gradients, double limit, double* squares,
                   const FlatTiles& flat, const StepBlock& step,
                   cudaStream_t stream) {
  Launch("Squares", SquaresKernel, BlocksFor(flat), kThreads, stream, squares,
         gradients, flat);
  Launch("Clip", ClipKernel, 1, kThreads, stream, squares, flat.count, limit,
         step.output);
}

void Update(const ParameterTile& values, const float* gradients, void* copy,
            const FlatTiles& flat, const StepBlock& step, cudaStream_t stream) {
  Launch("Update", UpdateKernel, BlocksFor(flat), kThreads, stream, values,
         gradients, CopyOut{static_cast<__nv_bfloat162*>(copy)}, flat, step);
}

void CopyAsBfloat16(void* to, const float* from, int64_t n,
                    cudaStream_t stream) {
  Launch("CopyAsBfloat16", CopyKernel, BlocksFor(n / 4), kThreads, stream,
         CopyOut{static_cast<__nv_bfloat162*>(to)}, from, n / 4);
}

}  // namespace alexnet::cuda
