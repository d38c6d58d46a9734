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

// Neighbouring values that are loaded and stored as one: 16 bytes where their
// number allows.
template <class T, int n>
struct alignas(sizeof(T) * n) Pack {
  T x[n];
};

// This thread's first element, and the distance to its next.
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

// Division by a number that only the host knows, by a product and a shift: the
// device's own takes some twenty instructions, more than most of our kernels
// have otherwise (Granlund and Montgomery, "Division by invariant integers
// using multiplication", PLDI 1994). For 0 ≤ n < 2³¹.
class Divider {
 public:
  explicit Divider(int64_t divisor) : divisor_(static_cast<uint32_t>(divisor)) {
    while ((uint64_t{1} << shift_) < divisor_) ++shift_;
    const uint64_t rest = (uint64_t{1} << shift_) - divisor_;
    factor_ = static_cast<uint32_t>((rest << 32) / divisor_ + 1);
  }
  __device__ int32_t Quotient(int32_t n) const {
    const auto value = static_cast<uint32_t>(n);
    const auto high = static_cast<uint32_t>((uint64_t{factor_} * value) >> 32);
    return static_cast<int32_t>((high + value) >> shift_);
  }
  __device__ int32_t Remainder(int32_t n) const {
    return n - Quotient(n) * static_cast<int32_t>(divisor_);
  }

 private:
  uint32_t divisor_;
  uint32_t factor_ = 0;
  uint32_t shift_ = 0;
};

// A shape as kernels count, its channels in packs.
struct Dims {
  explicit Dims(const Shape3& shape, int pack = 1)
      : channels(static_cast<int32_t>(shape.channels / pack)),
        height(static_cast<int32_t>(shape.height)),
        width(static_cast<int32_t>(shape.width)),
        by_channels(channels),
        by_width(width),
        by_height(height) {}
  __device__ int32_t area() const { return height * width; }
  __device__ int32_t At(int32_t n, int32_t h, int32_t w, int32_t c) const {
    return ((n * height + h) * width + w) * channels + c;
  }
  int32_t channels, height, width;
  Divider by_channels, by_width, by_height;
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

// Calls f(T(), V) with the type, and with the values of a pack (as a type's
// constant) that divide `values`: 16 bytes of them, or one.
template <class F>
void DispatchPacks(Type type, int64_t values, const F& f) {
  Dispatch(type, [&](auto t) {
    constexpr int kMost = 16 / static_cast<int>(sizeof(t));
    if (values % kMost == 0) {
      f(t, std::integral_constant<int, kMost>());
    } else {
      f(t, std::integral_constant<int, 1>());
    }
  });
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

// Whether this block is the last of `blocks` to come here; what the others
// wrote before is then seen. `done` counts them, from 0, and is left at 0.
__device__ inline bool IsLastBlock(uint32_t* done, unsigned blocks) {
  __shared__ bool last;
  __threadfence();  // what it wrote is seen by whoever is last
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    last = atomicAdd(done, 1U) + 1 == blocks;
    if (last) *done = 0;
  }
  __syncthreads();
  __threadfence();
  return last;
}

}  // namespace alexnet::cuda
