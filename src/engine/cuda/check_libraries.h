// SPDX-License-Identifier: MIT
// check.h for cuDNN and cuBLAS.
#pragma once

#include <cublasLt.h>
#include <cudnn.h>

#include "engine/cuda/check.h"

namespace alexnet::cuda {

// What a library does not offer, as against what went wrong in it.
class NotSupported : public Error {
 public:
  using Error::Error;
};

// What went wrong inside a library: of one plan among several, a reason to take
// another.
class Failed : public Error {
 public:
  using Error::Error;
};

inline void Check(cudnnStatus_t status, const char* call,
                  const std::string& purpose) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char detail[512] = "";
  cudnnGetLastErrorString(detail, sizeof(detail));
  const std::string reason = Concat(cudnnGetErrorString(status), " ", detail);
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) {
    ThrowCall<NotSupported>(call, reason, purpose);
  }
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_INTERNAL_ERROR ||
      CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_EXECUTION_FAILED) {
    ThrowCall<Failed>(call, reason, purpose);
  }
  ThrowCall(call, reason, purpose);
}

inline void Check(cublasStatus_t status, const char* call,
                  const std::string& purpose) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  ThrowCall(call, Concat("cuBLAS status ", static_cast<int>(status)), purpose);
}

#define CHECK_CUDNN(call, purpose) CHECK_CUDA(call, purpose)
#define CHECK_CUBLAS(call, purpose) CHECK_CUDA(call, purpose)

using Cudnn = Handle<cudnnHandle_t, cudnnDestroy>;
using CublasLt = Handle<cublasLtHandle_t, cublasLtDestroy>;

}  // namespace alexnet::cuda
