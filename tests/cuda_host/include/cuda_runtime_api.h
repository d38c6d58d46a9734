// SPDX-License-Identifier: MIT
// As much of the CUDA runtime as the engine uses, carried out by the host, so
// that its kernels and its ordering of work are tested where no GPU is. Names
// and meanings are those of NVIDIA's documentation. Work lies in its stream
// until the host waits for it: what is used without waiting is found out.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

#define CUDART_VERSION 13000

// The language of kernels. Blocks run one after the other, so that what a block
// shares can be static.
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static

struct dim3 {
  constexpr dim3(unsigned x_size = 1, unsigned y_size = 1, unsigned z_size = 1)
      : x(x_size), y(y_size), z(z_size) {}
  unsigned x, y, z;
};

struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

// All threads of a block, or none: else the process ends with a message.
void __syncthreads();

// The threads of a block run in turn.
inline int32_t atomicMin(int32_t* at, int32_t value) {
  const int32_t old = *at;
  if (value < old) *at = value;
  return old;
}

inline uint32_t atomicAdd(uint32_t* at, uint32_t value) {
  const uint32_t old = *at;
  *at += value;
  return old;
}
inline void __threadfence() {}

using std::isfinite;

enum cudaError_t {
  cudaSuccess,
  cudaErrorInvalidValue,
  cudaErrorMemoryAllocation,
  cudaErrorInsufficientDriver,
  cudaErrorNoDevice,
  cudaErrorStreamCaptureUnsupported,
  cudaErrorInvalidConfiguration
};
const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();

struct cudaDeviceProp {
  char name[256];
};
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor };
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr name, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceSynchronize();

using cudaStream_t = struct HostStream*;
inline const cudaStream_t cudaStreamLegacy = reinterpret_cast<cudaStream_t>(1);
constexpr unsigned cudaStreamNonBlocking = 1;
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);

using cudaEvent_t = struct HostEvent*;
constexpr unsigned cudaEventDefault = 0;
constexpr unsigned cudaEventDisableTiming = 2;
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin,
                                 cudaEvent_t end);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event,
                                unsigned flags);

enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total);
cudaError_t cudaMalloc(void** memory, size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocHost(void** memory, size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemset(void* memory, int value, size_t bytes);
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes,
                            cudaStream_t stream);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes,
                       cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes,
                            cudaMemcpyKind kind, cudaStream_t stream);

using cudaGraph_t = struct HostGraph*;
using cudaGraphExec_t = struct HostGraphExec*;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal };
cudaError_t cudaStreamBeginCapture(cudaStream_t stream,
                                   cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph,
                                 unsigned long long flags);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaGraphUpload(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);

namespace cuda_host {

// Puts work into the stream, or into the graph that it is captured for.
cudaError_t Enqueue(cudaStream_t stream, std::function<void()> work);

// Calls `thread` for each thread of each block.
void RunBlocks(dim3 grid, dim3 block, const std::function<void()>& thread);

}  // namespace cuda_host

struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config,
                               void (*kernel)(Parameters...),
                               Arguments... arguments) {
  // Of compute capability 8 and 9.
  constexpr unsigned kMost = 65535;
  const dim3 grid = config->gridDim;
  const dim3 block = config->blockDim;
  if (grid.x == 0 || grid.y == 0 || grid.y > kMost || grid.z > kMost ||
      block.x * block.y * block.z == 0 || block.x * block.y * block.z > 1024) {
    return cudaErrorInvalidConfiguration;
  }
  return cuda_host::Enqueue(config->stream, [=, config = *config] {
    cuda_host::RunBlocks(config.gridDim, config.blockDim,
                         [&] { kernel(arguments...); });
  });
}
