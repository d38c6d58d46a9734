// SPDX-License-Identifier: MIT
// What every kernel file uses: loads and stores of both types, loops over any
// number of elements, launches that are checked.
#pragma once

#include <cuda_bf16.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "alexnet/error.h"
#include "engine/cuda/check.h"
#include "engine/cuda/kernels.h"

namespace alexnet::cuda {

inline constexpr int kThreads = 256;

__device__ __forceinline__ float Load(const float* x) { return *x; }
__device__ __forceinline__ float Load(const __nv_bfloat16* x) {
  return __bfloat162float(*x);
}
__device__ __forceinline__ void Store(float* x, float value) { *x = value; }
__device__ __forceinline__ void Store(__nv_bfloat16* x, float value) {
  *x = __float2bfloat16_rn(value);
}

// This thread's first element, and the distance to its next. 32 bits: divisions
// by a shape's sides are what most kernels spend their instructions on, and one
// of 64 bits costs four of 32.
__device__ __forceinline__ int32_t FirstElement() {
  return static_cast<int32_t>(blockIdx.x * blockDim.x + threadIdx.x);
}
__device__ __forceinline__ int32_t Stride() {
  return static_cast<int32_t>(gridDim.x * blockDim.x);
}

// Blocks that fill the largest GPU several times; the rest is looped.
inline constexpr int64_t kMostBlocks = 132 * 16;

inline unsigned BlocksFor(int64_t n) {
  ALEXNET_CHECK(n <= kMostElements);
  const int64_t blocks = (n + kThreads - 1) / kThreads;
  return static_cast<unsigned>(std::clamp<int64_t>(blocks, 1, kMostBlocks));
}

// A shape as kernels count.
struct Dims {
  explicit Dims(const Shape3& shape)
      : channels(static_cast<int32_t>(shape.channels)),
        height(static_cast<int32_t>(shape.height)),
        width(static_cast<int32_t>(shape.width)) {}
  __device__ int32_t area() const { return height * width; }
  __device__ int32_t At(int32_t n, int32_t h, int32_t w, int32_t c) const {
    return ((n * height + h) * width + w) * channels + c;
  }
  int32_t channels, height, width;
};

// `name` is for the message if it fails.
template <class... P>
void Launch(const char* name, void (*kernel)(P...), dim3 blocks, dim3 threads,
            cudaStream_t stream, const std::type_identity_t<P>&... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.stream = stream;
  CHECK_CUDA(cudaLaunchKernelEx(&config, kernel, arguments...),
             Concat("launch of ", name));
}

// Calls f(T()) with the type that `type` names.
template <class F>
void Dispatch(Type type, const F& f) {
  if (type == Type::kFloat32) {
    f(float());
  } else {
    f(__nv_bfloat16());
  }
}

// The sum over the block, in thread 0, always added in the same order.
template <class T>
__device__ T BlockSum(T value, T* shared) {
  __syncthreads();  // the last call's sum has been read
  shared[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  return shared[0];
}

}  // namespace alexnet::cuda
