// SPDX-License-Identifier: MIT
// CUDA handles that clean up after themselves, and the checks around every
// call. A check names the call and what it was made for.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "alexnet/error.h"

namespace alexnet::cuda {

template <class E = Error>
[[noreturn]] void ThrowCall(const char* call, const std::string& reason,
                            const std::string& purpose) {
  throw E(Concat("[cuda] ", purpose, ": ", call, ": ", reason));
}

inline void Check(cudaError_t status, const char* call,
                  const std::string& purpose) {
  if (status == cudaSuccess) return;
  ThrowCall(call,
            Concat(cudaGetErrorName(status), ", ", cudaGetErrorString(status)),
            purpose);
}

#define CHECK_CUDA(call, purpose) ::alexnet::cuda::Check((call), #call, purpose)

// A handle of a C library with the function that ends it.
template <class T, auto destroy>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T value) : value_(value) {}
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, {})) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Handle() {
    if (value_) destroy(value_);
  }
  T get() const { return value_; }
  T* out() { return &value_; }
  explicit operator bool() const { return value_ != T{}; }

 private:
  T value_{};
};

using Stream = Handle<cudaStream_t, cudaStreamDestroy>;
using Event = Handle<cudaEvent_t, cudaEventDestroy>;
using Graph = Handle<cudaGraph_t, cudaGraphDestroy>;
using GraphExec = Handle<cudaGraphExec_t, cudaGraphExecDestroy>;

// Bytes on the device, zeroed.
class DeviceBytes {
 public:
  DeviceBytes() = default;
  DeviceBytes(int64_t bytes, const std::string& purpose) : bytes_(bytes) {
    if (bytes == 0) return;
    CHECK_CUDA(cudaMalloc(memory_.out(), static_cast<size_t>(bytes)),
               Concat(purpose, " (", bytes >> 20, " MiB)"));
    CHECK_CUDA(cudaMemset(memory_.get(), 0, static_cast<size_t>(bytes)),
               purpose);
    CHECK_CUDA(cudaStreamSynchronize(cudaStreamLegacy), purpose);
  }
  std::byte* data() const { return static_cast<std::byte*>(memory_.get()); }
  float* floats() const { return static_cast<float*>(memory_.get()); }
  int64_t bytes() const { return bytes_; }

 private:
  Handle<void*, cudaFree> memory_;
  int64_t bytes_ = 0;
};

// What is free on the device beyond a reserve.
inline int64_t FreeBytes(int64_t reserve) {
  size_t free_bytes = 0;
  size_t total = 0;
  CHECK_CUDA(cudaMemGetInfo(&free_bytes, &total), "GPU memory");
  return std::max<int64_t>(0, static_cast<int64_t>(free_bytes) - reserve);
}

// Copies and waits until all is there: our streams do not wait for the default
// one, on which such a copy may still be under way when cudaMemcpy returns.
inline void CopyToDevice(void* to, const void* from, size_t bytes,
                         const std::string& purpose) {
  CHECK_CUDA(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), purpose);
  CHECK_CUDA(cudaStreamSynchronize(cudaStreamLegacy), purpose);
}

// Host memory that the device copies from and to by itself.
class PinnedBytes {
 public:
  PinnedBytes() = default;
  PinnedBytes(int64_t bytes, const std::string& purpose) {
    if (bytes == 0) return;
    CHECK_CUDA(cudaMallocHost(memory_.out(), static_cast<size_t>(bytes)),
               Concat(purpose, " (", bytes >> 20, " MiB, pinned)"));
  }
  std::byte* data() const { return static_cast<std::byte*>(memory_.get()); }

 private:
  Handle<void*, cudaFreeHost> memory_;
};

inline Event MakeEvent(unsigned flags = cudaEventDisableTiming) {
  Event event;
  CHECK_CUDA(cudaEventCreateWithFlags(event.out(), flags), "event");
  return event;
}

inline Stream MakeStream() {
  Stream stream;
  CHECK_CUDA(cudaStreamCreateWithFlags(stream.out(), cudaStreamNonBlocking),
             "stream");
  return stream;
}

}  // namespace alexnet::cuda
