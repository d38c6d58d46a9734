// SPDX-License-Identifier: MIT
// ReLU, dropout, bias and its gradient.
#include "engine/cuda/device.cuh"

namespace alexnet::cuda {
namespace {

template <class T>
__global__ void ReluForwardKernel(T* x, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    Store(x + i, Relu(Load(x + i)));
  }
}

template <class T>
__global__ void ReluBackwardKernel(T* dy, const T* y, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    Store(dy + i, ReluGradient(Load(dy + i), Load(y + i)));
  }
}

// The mask counts elements in C, H, W order, wherever they lie.
template <class T>
__global__ void DropoutKernel(T* x, Dims shape, DropoutMask mask, float scale,
                              SliceOf slice) {
  const int32_t area = shape.area();
  const int64_t n = slice.images * area * shape.channels;
  mask.epoch = slice.step.input->epoch;
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const int32_t at = i / shape.channels % area;
    mask.sample = slice.step.samples[slice.first + i / (area * shape.channels)];
    const bool keep = DropoutKeeps(mask, i % shape.channels * area + at);
    Store(x + i, keep ? Load(x + i) * scale : 0.0F);
  }
}

template <class T>
__global__ void AddBiasKernel(T* x, const float* bias, bool relu, int64_t n,
                              int32_t channels) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const float value = Load(x + i) + bias[i % channels];
    Store(x + i, relu ? Relu(value) : value);
  }
}

// A block sums 32 channels over its part of the rows: a warp reads 32
// neighbouring channels, the block's 8 warps take rows in turn.
constexpr int kLanes = 32;
constexpr int kRowsAtOnce = 8;

template <class T>
__global__ void BiasPartsKernel(float* partial, T* dy, const T* y, int64_t rows,
                                int64_t channels) {
  __shared__ float sums[kRowsAtOnce][kLanes];
  const int64_t c = int64_t{blockIdx.x} * kLanes + threadIdx.x;
  const int64_t part = (rows + kBiasParts - 1) / kBiasParts;
  const int64_t begin = blockIdx.y * part;
  const int64_t end = begin + part < rows ? begin + part : rows;
  float sum = 0;
  if (c < channels) {
    for (int64_t row = begin + threadIdx.y; row < end; row += kRowsAtOnce) {
      const int64_t at = row * channels + c;
      float value = Load(dy + at);
      if (y != nullptr) {
        value = ReluGradient(value, Load(y + at));
        Store(dy + at, value);
      }
      sum += value;
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && c < channels) {
    for (int i = 1; i < kRowsAtOnce; ++i) sum += sums[i][threadIdx.x];
    partial[blockIdx.y * channels + c] = sum;
  }
}

__global__ void BiasSumKernel(float* dbias, const float* partial,
                              int64_t channels, bool accumulate) {
  for (int32_t c = FirstElement(); c < channels; c += Stride()) {
    float sum = accumulate ? dbias[c] : 0.0F;
    for (int i = 0; i < kBiasParts; ++i) sum += partial[i * channels + c];
    dbias[c] = sum;
  }
}

}  // namespace

void ReluForward(void* x, Type type, int64_t n, cudaStream_t stream) {
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("ReluForward", ReluForwardKernel<T>, BlocksFor(n), kThreads, stream,
           static_cast<T*>(x), n);
  });
}

void ReluBackward(void* dy, const void* y, Type type, int64_t n,
                  cudaStream_t stream) {
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("ReluBackward", ReluBackwardKernel<T>, BlocksFor(n), kThreads,
           stream, static_cast<T*>(dy), static_cast<const T*>(y), n);
  });
}

void Dropout(void* x, Type type, const Shape3& shape, const DropoutMask& mask,
             const SliceOf& slice, cudaStream_t stream) {
  if (mask.p == 0) return;
  const int64_t n = slice.images * shape.elements();
  const auto scale = static_cast<float>(1 / (1 - mask.p));
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("Dropout", DropoutKernel<T>, BlocksFor(n), kThreads, stream,
           static_cast<T*>(x), Dims(shape), mask, scale, slice);
  });
}

void AddBias(void* x, Type type, const float* bias, bool relu, int64_t rows,
             int64_t channels, cudaStream_t stream) {
  const int64_t n = rows * channels;
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("AddBias", AddBiasKernel<T>, BlocksFor(n), kThreads, stream,
           static_cast<T*>(x), bias, relu, n, static_cast<int32_t>(channels));
  });
}

void BiasGradient(float* dbias, void* dy, const void* y, Type type,
                  int64_t rows, int64_t channels, bool accumulate,
                  float* partial, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((channels + kLanes - 1) / kLanes),
                  kBiasParts);
  const dim3 block(kLanes, kRowsAtOnce);
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("BiasParts", BiasPartsKernel<T>, grid, block, stream, partial,
           static_cast<T*>(dy), static_cast<const T*>(y), rows, channels);
  });
  Launch("BiasSum", BiasSumKernel, BlocksFor(channels), kThreads, stream, dbias,
         partial, channels, accumulate);
}

}  // namespace alexnet::cuda
