// SPDX-License-Identifier: MIT
// One matrix product by cuBLASLt, its algorithm chosen when it is made:
// C = A·B + beta·C, column by column. The row-major N × F arrays of a linear
// layer are F × N matrices here.
#pragma once

#include <string>

#include "alexnet/engine.h"
#include "engine/cuda/check_libraries.h"
#include "engine/cuda/conv_pass.h"

namespace alexnet::cuda {

struct MatmulSpec {
  std::string name;  // for messages
  int64_t m = 0;     // C is m × n, A m × k, B k × n
  int64_t n = 0;
  int64_t k = 0;
  bool transpose_a = false;  // A is stored as k × m
  bool transpose_b = false;  // B is stored as n × k
  Type in = Type::kFloat32;
  Type out = Type::kFloat32;
  Precision precision = Precision::kFloat32;
};

class Matmul {
 public:
  static constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;

  Matmul(cublasLtHandle_t cublas, const MatmulSpec& spec);

  void Run(cublasLtHandle_t cublas, void* c, const void* a, const void* b,
           float beta, const Workspace& workspace, cudaStream_t stream) const;

 private:
  using Layout = Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;

  std::string name_;
  Handle<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy> desc_;
  Layout a_;
  Layout b_;
  Layout c_;
  cublasLtMatmulAlgo_t algorithm_{};
};

}  // namespace alexnet::cuda
