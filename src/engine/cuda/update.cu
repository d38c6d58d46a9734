// SPDX-License-Identifier: MIT
// From logits to loss, and from gradients to new parameters.
#include "engine/cuda/device.cuh"
#include "engine/loss.h"

namespace alexnet::cuda {
namespace {

__global__ void BeginStepKernel(StepOutput* output) {
  *output = {.loss = 0, .correct = 0, .bad = kGoodGradients};
}

// One block, a thread a row: a slice has few rows, and the sums keep their
// order.
template <class T>
__global__ void LossKernel(T* gradient, const float* logits, int64_t classes,
                           SliceOf slice) {
  __shared__ double losses[kThreads];
  __shared__ int64_t hits[kThreads];
  const StepInput& step = *slice.step.input;
  const auto width = static_cast<size_t>(classes);
  const double scale = 1.0 / step.count;
  double loss = 0;
  int64_t correct = 0;
  for (int64_t n = threadIdx.x; n < slice.images; n += blockDim.x) {
    const int64_t image = slice.first + n;
    const std::span<const float> row(logits + n * classes, width);
    T* out = gradient == nullptr ? nullptr : gradient + n * classes;
    const std::span<T> d(out, out == nullptr ? 0 : width);
    if (image >= step.count) {
      for (size_t c = 0; c < d.size(); ++c) Store(out + c, 0.0F);
      continue;
    }
    int64_t truth = 0;
    if (step.soft_labels != 0) {
      const std::span<const float> target(
          slice.step.probabilities + image * classes, width);
      loss += SoftmaxCrossEntropy(d, row, target, scale);
      truth = ArgMax(target);
    } else {
      const int32_t label = slice.step.labels[image];
      loss += SoftmaxCrossEntropy(d, row, label, scale);
      truth = label;
    }
    correct += ArgMax(row) == truth ? 1 : 0;
  }
  const double loss_sum = BlockSum(loss, losses);
  const int64_t correct_sum = BlockSum(correct, hits);
  if (threadIdx.x == 0) {
    slice.step.output->loss += loss_sum;
    slice.step.output->correct += correct_sum;
  }
}

template <class T>
__global__ void KeepGradientKernel(float* gradient, const T* dw, int64_t n,
                                   bool accumulate) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const float value = Load(dw + i);
    gradient[i] = accumulate ? gradient[i] + value : value;
  }
}

__device__ int32_t ParameterAt(int64_t i, const int64_t* ends,
                               int32_t parameters) {
  int32_t at = 0;
  while (at + 1 < parameters && ends[at] <= i) ++at;
  return at;
}

// Four at a time: the flat arrays are aligned, and their length is a multiple
// of four. The gaps in them are zeros.
__global__ void FindNonFiniteKernel(const float4* gradients, int64_t quads,
                                    const int64_t* ends, int32_t parameters,
                                    StepOutput* output) {
  const int32_t first = FirstElement();
  if (first == 0 && !isfinite(output->loss)) {
    atomicMin(&output->bad, kBadLoss);
  }
  for (int32_t i = first; i < quads; i += Stride()) {
    const float4 g = gradients[i];
    const bool fine =
        isfinite(g.x) && isfinite(g.y) && isfinite(g.z) && isfinite(g.w);
    if (!fine) {
      atomicMin(&output->bad, ParameterAt(int64_t{4} * i, ends, parameters));
    }
  }
}

struct CopyOut {
  __nv_bfloat162* to;
  __device__ void operator()(int64_t quad, const float4& w) const {
    if (to == nullptr) return;
    to[2 * quad] = __floats2bfloat162_rn(w.x, w.y);
    to[2 * quad + 1] = __floats2bfloat162_rn(w.z, w.w);
  }
};

__global__ void UpdateKernel(float4* w, float4* m, float4* v, const float4* g,
                             CopyOut copy, int64_t quads, StepBlock step) {
  if (step.output->bad != kGoodGradients) return;
  const UpdateCoefficients update = step.input->update;
  for (int32_t i = FirstElement(); i < quads; i += Stride()) {
    float4 wi = w[i];
    float4 mi = m[i];
    float4 vi = v[i];
    const float4 gi = g[i];
    AdamUpdate(wi.x, mi.x, vi.x, gi.x, update);
    AdamUpdate(wi.y, mi.y, vi.y, gi.y, update);
    AdamUpdate(wi.z, mi.z, vi.z, gi.z, update);
    AdamUpdate(wi.w, mi.w, vi.w, gi.w, update);
    w[i] = wi;
    m[i] = mi;
    v[i] = vi;
    copy(i, wi);
  }
}

__global__ void CopyKernel(CopyOut copy, const float4* from, int64_t quads) {
  for (int32_t i = FirstElement(); i < quads; i += Stride()) copy(i, from[i]);
}

}  // namespace

void BeginStep(const StepBlock& step, cudaStream_t stream) {
  BeginStepKernel<<<1, 1, 0, stream>>>(step.output);
  CheckLaunch("BeginStep");
}

void Loss(void* gradient, Type type, const float* logits, int64_t classes,
          const SliceOf& slice, cudaStream_t stream) {
  Dispatch(type, [&](auto t) {
    LossKernel<<<1, kThreads, 0, stream>>>(static_cast<decltype(t)*>(gradient),
                                           logits, classes, slice);
  });
  CheckLaunch("Loss");
}

void KeepGradient(float* gradient, const void* dw, Type type, int64_t n,
                  bool accumulate, cudaStream_t stream) {
  Dispatch(type, [&](auto t) {
    KeepGradientKernel<<<BlocksFor(n), kThreads, 0, stream>>>(
        gradient, static_cast<const decltype(t)*>(dw), n, accumulate);
  });
  CheckLaunch("KeepGradient");
}

void FindNonFinite(const float* gradients, int64_t n, const int64_t* ends,
                   int32_t parameters, const StepBlock& step,
                   cudaStream_t stream) {
  FindNonFiniteKernel<<<BlocksFor(n / 4), kThreads, 0, stream>>>(
      reinterpret_cast<const float4*>(gradients), n / 4, ends, parameters,
      step.output);
  CheckLaunch("FindNonFinite");
}

void Update(float* w, float* m, float* v, const float* g, void* copy, int64_t n,
            const StepBlock& step, cudaStream_t stream) {
  UpdateKernel<<<BlocksFor(n / 4), kThreads, 0, stream>>>(
      reinterpret_cast<float4*>(w), reinterpret_cast<float4*>(m),
      reinterpret_cast<float4*>(v), reinterpret_cast<const float4*>(g),
      CopyOut{static_cast<__nv_bfloat162*>(copy)}, n / 4, step);
  CheckLaunch("Update");
}

void CopyAsBfloat16(void* to, const float* from, int64_t n,
                    cudaStream_t stream) {
  CopyKernel<<<BlocksFor(n / 4), kThreads, 0, stream>>>(
      CopyOut{static_cast<__nv_bfloat162*>(to)},
      reinterpret_cast<const float4*>(from), n / 4);
  CheckLaunch("CopyAsBfloat16");
}

}  // namespace alexnet::cuda
