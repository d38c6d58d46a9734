// SPDX-License-Identifier: MIT
#include "engine/cuda/matmul.h"

namespace alexnet::cuda {
namespace {

using Preference =
    Handle<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

cudaDataType_t DataType(Type type) {
  return type == Type::kFloat32 ? CUDA_R_32F : CUDA_R_16BF;
}

template <class T>
void Set(const Preference& preference,
         cublasLtMatmulPreferenceAttributes_t name, const T& value,
         const std::string& purpose) {
  CHECK_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference.get(), name,
                                                    &value, sizeof(value)),
               purpose);
}

// Splitting the sum is fine as long as its parts are added in a fixed order,
// which only the in-place scheme does not promise.
Preference MakePreference(const std::string& purpose) {
  Preference made;
  CHECK_CUBLAS(cublasLtMatmulPreferenceCreate(made.out()), purpose);
  Set(made, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
      static_cast<size_t>(Matmul::kWorkspaceBytes), purpose);
  const auto schemes =
      static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
  Set(made, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes, purpose);
  // 64 elements of bfloat16: how parameters lie in their flat array.
  constexpr uint32_t kAlignment = 128;
  for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    Set(made, name, kAlignment, purpose);
  }
  return made;
}

}  // namespace

Matmul::Matmul(cublasLtHandle_t cublas, const MatmulSpec& spec)
    : name_(spec.name) {
  const auto compute = spec.precision == Precision::kTf32
                           ? CUBLAS_COMPUTE_32F_FAST_TF32
                           : CUBLAS_COMPUTE_32F;
  CHECK_CUBLAS(cublasLtMatmulDescCreate(desc_.out(), compute, CUDA_R_32F),
               name_);
  const auto transpose = [&](bool yes, cublasLtMatmulDescAttributes_t which) {
    const cublasOperation_t op = yes ? CUBLAS_OP_T : CUBLAS_OP_N;
    CHECK_CUBLAS(
        cublasLtMatmulDescSetAttribute(desc_.get(), which, &op, sizeof(op)),
        name_);
  };
  transpose(spec.transpose_a, CUBLASLT_MATMUL_DESC_TRANSA);
  transpose(spec.transpose_b, CUBLASLT_MATMUL_DESC_TRANSB);
  // Rows and columns as stored; nothing lies between the columns.
  const auto layout = [&](Layout& made, Type type, int64_t rows, int64_t cols,
                          bool transposed) {
    if (transposed) std::swap(rows, cols);
    CHECK_CUBLAS(cublasLtMatrixLayoutCreate(made.out(), DataType(type),
                                            static_cast<uint64_t>(rows),
                                            static_cast<uint64_t>(cols), rows),
                 name_);
  };
  layout(a_, spec.in, spec.m, spec.k, spec.transpose_a);
  layout(b_, spec.in, spec.k, spec.n, spec.transpose_b);
  layout(c_, spec.out, spec.m, spec.n, false);
  const Preference preference = MakePreference(name_);
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  CHECK_CUBLAS(cublasLtMatmulAlgoGetHeuristic(
                   cublas, desc_.get(), a_.get(), b_.get(), c_.get(), c_.get(),
                   preference.get(), 1, &found, &count),
               name_);
  if (count == 0) {
    throw Error(Concat("[cuda] ", name_, ": cuBLASLt has no algorithm for ",
                       spec.m, "×", spec.k, " by ", spec.k, "×", spec.n));
  }
  algorithm_ = found.algo;
}

void Matmul::Run(cublasLtHandle_t cublas, void* c, const void* a, const void* b,
                 float beta, const Workspace& workspace,
                 cudaStream_t stream) const {
  const float alpha = 1;
  CHECK_CUBLAS(cublasLtMatmul(cublas, desc_.get(), &alpha, a, a_.get(), b,
                              b_.get(), &beta, c, c_.get(), c, c_.get(),
                              &algorithm_, workspace.data,
                              static_cast<size_t>(workspace.bytes), stream),
               name_);
}

}  // namespace alexnet::cuda
