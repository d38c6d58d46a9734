// SPDX-License-Identifier: MIT
// Matrix products as the formula says, summed in double.
#include <cublasLt.h>
#include <cuda_bf16.h>

#include <cstring>

struct HostCublas {};
struct HostMatmul {
  cublasOperation_t transpose[2] = {CUBLAS_OP_N, CUBLAS_OP_N};
};
struct HostLayout {
  cudaDataType_t type;
  int64_t rows, columns, leading;
};
struct HostPreference {};

namespace {

// A matrix as it is stored, column by column, of float32 or bfloat16.
struct Matrix {
  Matrix(const void* values, const HostLayout& stored)
      : data(const_cast<void*>(values)), layout(stored) {}
  float At(int64_t row, int64_t column) const {
    const int64_t at = column * layout.leading + row;
    return layout.type == CUDA_R_32F
               ? static_cast<const float*>(data)[at]
               : __bfloat162float(static_cast<const __nv_bfloat16*>(data)[at]);
  }
  void Set(int64_t row, int64_t column, float value) const {
    const int64_t at = column * layout.leading + row;
    if (layout.type == CUDA_R_32F) {
      static_cast<float*>(data)[at] = value;
    } else {
      static_cast<__nv_bfloat16*>(data)[at] = __float2bfloat16_rn(value);
    }
  }
  void* data;
  HostLayout layout;
};

// op(A), op(B) and the result, with their sizes checked.
struct Product {
  bool transpose_a, transpose_b;
  Matrix a, b, c;

  int64_t m() const { return c.layout.rows; }
  int64_t n() const { return c.layout.columns; }
  int64_t k() const { return transpose_a ? a.layout.rows : a.layout.columns; }
  bool Fits() const {
    return m() == (transpose_a ? a.layout.columns : a.layout.rows) &&
           n() == (transpose_b ? b.layout.rows : b.layout.columns) &&
           k() == (transpose_b ? b.layout.columns : b.layout.rows);
  }
  void Run(float beta) const {
    for (int64_t j = 0; j < n(); ++j) {
      for (int64_t i = 0; i < m(); ++i) {
        double sum = beta == 0 ? 0 : double{beta} * c.At(i, j);
        for (int64_t l = 0; l < k(); ++l) {
          sum += double{transpose_a ? a.At(l, i) : a.At(i, l)} *
                 (transpose_b ? b.At(j, l) : b.At(l, j));
        }
        c.Set(i, j, static_cast<float>(sum));
      }
    }
  }
};

}  // namespace

size_t cublasLtGetVersion() { return 0; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new HostCublas;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made,
                                        cublasComputeType_t, cudaDataType_t) {
  *made = new HostMatmul;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t matmul) {
  delete matmul;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(
    cublasLtMatmulDesc_t matmul, cublasLtMatmulDescAttributes_t name,
    const void* value, size_t bytes) {
  if (bytes != sizeof(cublasOperation_t)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&matmul->transpose[name == CUBLASLT_MATMUL_DESC_TRANSB ? 1 : 0],
              value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made,
                                          cudaDataType_t type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
  *made = new HostLayout{type, static_cast<int64_t>(rows),
                         static_cast<int64_t>(columns), leading};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(
    cublasLtMatmulPreference_t* made) {
  *made = new HostPreference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(
    cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(
    cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t,
    const void*, size_t) {
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
    cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
    cublasLtMatmulPreference_t, int, cublasLtMatmulHeuristicResult_t* found,
    int* count) {
  *found = {};
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t matmul,
                              const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta,
                              const void* c, cublasLtMatrixLayout_t, void* d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t*, void*, size_t,
                              cudaStream_t stream) {
  const Product product = {matmul->transpose[0] == CUBLAS_OP_T,
                           matmul->transpose[1] == CUBLAS_OP_T,
                           {a, *a_layout},
                           {b, *b_layout},
                           {d, *d_layout}};
  if (*static_cast<const float*>(alpha) != 1 || c != d || !product.Fits()) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const float kept = *static_cast<const float*>(beta);
  cuda_host::Enqueue(stream, [=] { product.Run(kept); });
  return CUBLAS_STATUS_SUCCESS;
}
