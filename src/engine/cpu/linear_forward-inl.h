// SPDX-License-Identifier: MIT
// y = x·wᵀ + b of a linear layer, part of kernels-inl.h. The library's product
// of a transposed matrix reaches a sixth of the machine's speed at batch 32
// (fc6: 65 ms against 11 ms here) and copies the weights besides.
//
// Weights stay as PyTorch has them, a row an output, so a tile is kImages ×
// kOutputs dot products, each in one vector: 6 × 4 of the 32 zmm registers (4 ×
// 2 of the 16 ymm) need 10 loads for 24 multiply-adds. Rows are cut into
// chunks, so that the inputs' chunk (32 images × 12 KB) stays in the L2 cache
// while the weights go by once.
#include <cstdint>

#include "engine/cpu/kernels.h"

namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE {
namespace {

#if defined(__AVX512F__)
constexpr int kDotLanes = 16;
constexpr int kDotImages = 6;
constexpr int kDotOutputs = 4;
#elif defined(__AVX2__)
constexpr int kDotLanes = 8;
constexpr int kDotImages = 4;
constexpr int kDotOutputs = 2;
#else
constexpr int kDotLanes = 4;
constexpr int kDotImages = 2;
constexpr int kDotOutputs = 2;
#endif
constexpr int64_t kDotChunk = 3072;

typedef float DotVector __attribute__((vector_size(kDotLanes * sizeof(float)),
                                       aligned(4), may_alias));

// By halves, whatever the lanes.
float SumLanes(const DotVector& vector) {
  float part[kDotLanes];
  for (int i = 0; i < kDotLanes; ++i) part[i] = vector[i];
  for (int width = kDotLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) part[i] += part[i + width];
  }
  return part[0];
}

// Adds the products of the columns [first, last) to y.
template <int kImages, int kOutputs>
void DotTile(const LinearForwardWork& work, int64_t image, int64_t output,
             int64_t first, int64_t last) {
  const float* x = work.inputs + image * work.in;
  const float* w = work.weights + output * work.in;
  DotVector sums[kImages][kOutputs] = {};
  int64_t i = first;
  for (; i + kDotLanes <= last; i += kDotLanes) {
    DotVector weights[kOutputs];
#pragma GCC unroll 4
    for (int k = 0; k < kOutputs; ++k) {
      weights[k] = *reinterpret_cast<const DotVector*>(w + k * work.in + i);
    }
#pragma GCC unroll 6
    for (int n = 0; n < kImages; ++n) {
      const auto value =
          *reinterpret_cast<const DotVector*>(x + n * work.in + i);
#pragma GCC unroll 4
      for (int k = 0; k < kOutputs; ++k) sums[n][k] += value * weights[k];
    }
  }
  for (int n = 0; n < kImages; ++n) {
    for (int k = 0; k < kOutputs; ++k) {
      float sum = SumLanes(sums[n][k]);
      for (int64_t t = i; t < last; ++t) {
        sum += x[n * work.in + t] * w[k * work.in + t];
      }
      work.outputs[(image + n) * work.out + output + k] += sum;
    }
  }
}

// Images [first_image, images), kImages at once and then ever fewer.
template <int kImages, int kOutputs>
void DotRows(const LinearForwardWork& work, int64_t first_image, int64_t output,
             int64_t first, int64_t last) {
  int64_t image = first_image;
  for (; image + kImages <= work.images; image += kImages) {
    DotTile<kImages, kOutputs>(work, image, output, first, last);
  }
  if constexpr (kImages > 1) {
    DotRows<kImages / 2, kOutputs>(work, image, output, first, last);
  }
}

void LinearForward(const LinearForwardWork& work) {
  for (int64_t n = 0; n < work.images; ++n) {
    std::memset(work.outputs + n * work.out, 0,
                static_cast<size_t>(work.out) * sizeof(float));
  }
  const int64_t blocks = (work.out + kDotOutputs - 1) / kDotOutputs;
  const bool large = work.out * work.in >= kParallelFrom;
#pragma omp parallel if (large)
  for (int64_t first = 0; first < work.in; first += kDotChunk) {
    const int64_t rest = work.in - first;
    const int64_t last = first + (rest < kDotChunk ? rest : kDotChunk);
    // The same outputs fall to the same thread in every chunk.
#pragma omp for schedule(static) nowait
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t output = block * kDotOutputs;
      if (output + kDotOutputs <= work.out) {
        DotRows<kDotImages, kDotOutputs>(work, 0, output, first, last);
      } else {
        for (int64_t k = output; k < work.out; ++k) {
          DotRows<kDotImages, 1>(work, 0, k, first, last);
        }
      }
    }
  }
  AddBias(work.bias, work.relu, work.outputs, work.images, work.out);
}

}  // namespace
}  // namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE
