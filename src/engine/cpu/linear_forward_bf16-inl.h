// SPDX-License-Identifier: MIT
// y = x·wᵀ + b with x and w rounded to bfloat16, part of kernels-inl.h. One
// instruction multiplies and adds 32 pairs, twice what float32 does, and for a
// single image half the bytes of the weights go by. Tiles are those of
// linear_forward-inl.h.
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include <cstdint>

#include "engine/cpu/kernels.h"

namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE {
namespace {

#if defined(__AVX512BF16__)

constexpr int64_t kPairs = 32;               // bfloat16 values in a vector
constexpr int64_t kDotChunkBf16 = 2 * 3072;  // as many bytes as float32's

__mmask32 FirstValues(int64_t n) {
  return n >= kPairs ? ~__mmask32{0} : (__mmask32{1} << n) - 1;
}

__m512bh LoadPairs(const Bfloat16* from, __mmask32 mask) {
  const __m512i bits = _mm512_maskz_loadu_epi16(mask, from);
  return (__m512bh)bits;
}

// n values, rounded to the nearest.
void RoundRow(const float* from, int64_t n, Bfloat16* to) {
  for (int64_t i = 0; i < n; i += kPairs) {
    const __mmask32 mask = FirstValues(n - i);
    const __m512 low =
        _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from + i);
    const __m512 high = _mm512_maskz_loadu_ps(
        static_cast<__mmask16>(mask >> 16), from + i + kPairs / 2);
    const __m512bh pairs = _mm512_cvtne2ps_pbh(high, low);
    _mm512_mask_storeu_epi16(to + i, mask, (__m512i)pairs);
  }
}

// The weights of some outputs, the columns of one chunk.
struct WeightRows {
  const Bfloat16* data;
  int64_t stride;
};

// Adds the products of the columns [first, first + n) to y.
template <int kImages, int kOutputs>
void DotTileBf16(const LinearForwardBf16Work& work, const WeightRows& rows,
                 int64_t image, int64_t output, int64_t first, int64_t n) {
  const Bfloat16* x = work.packed_inputs + image * work.in + first;
  __m512 sums[kImages][kOutputs] = {};
  for (int64_t i = 0; i < n; i += kPairs) {
    const __mmask32 mask = FirstValues(n - i);
    __m512bh weights[kOutputs];
#pragma GCC unroll 4
    for (int k = 0; k < kOutputs; ++k) {
      weights[k] = LoadPairs(rows.data + k * rows.stride + i, mask);
    }
#pragma GCC unroll 6
    for (int image_of_tile = 0; image_of_tile < kImages; ++image_of_tile) {
      const __m512bh value = LoadPairs(x + image_of_tile * work.in + i, mask);
#pragma GCC unroll 4
      for (int k = 0; k < kOutputs; ++k) {
        sums[image_of_tile][k] =
            _mm512_dpbf16_ps(sums[image_of_tile][k], value, weights[k]);
      }
    }
  }
  for (int of_tile = 0; of_tile < kImages; ++of_tile) {
    for (int k = 0; k < kOutputs; ++k) {
      work.outputs[(image + of_tile) * work.out + output + k] +=
          SumLanes((DotVector)sums[of_tile][k]);
    }
  }
}

template <int kImages, int kOutputs>
void DotRowsBf16(const LinearForwardBf16Work& work, const WeightRows& rows,
                 int64_t first_image, int64_t output, int64_t first,
                 int64_t n) {
  int64_t image = first_image;
  for (; image + kImages <= work.images; image += kImages) {
    DotTileBf16<kImages, kOutputs>(work, rows, image, output, first, n);
  }
  if constexpr (kImages > 1) {
    DotRowsBf16<kImages / 2, kOutputs>(work, rows, image, output, first, n);
  }
}

// kOutputs outputs of all images. float32 weights are rounded into the L1
// cache first, once for all images.
template <int kOutputs>
void DotBlockBf16(const LinearForwardBf16Work& work, int64_t output,
                  int64_t first, int64_t n) {
  alignas(64) Bfloat16 rounded[kOutputs * kDotChunkBf16];
  WeightRows rows = {rounded, kDotChunkBf16};
  if (work.weights) {
    rows = {work.weights + output * work.in + first, work.in};
  } else {
    for (int k = 0; k < kOutputs; ++k) {
      RoundRow(work.weights_f32 + (output + k) * work.in + first, n,
               rounded + k * kDotChunkBf16);
    }
  }
  DotRowsBf16<kDotImages, kOutputs>(work, rows, 0, output, first, n);
}

void LinearForwardBf16(const LinearForwardBf16Work& work) {
  std::memset(work.outputs, 0,
              static_cast<size_t>(work.images * work.out) * sizeof(float));
  for (int64_t image = 0; image < work.images; ++image) {
    RoundRow(work.inputs + image * work.in, work.in,
             work.packed_inputs + image * work.in);
  }
  const int64_t blocks = (work.out + kDotOutputs - 1) / kDotOutputs;
  const bool large = work.out * work.in >= kParallelFrom;
#pragma omp parallel if (large)
  for (int64_t first = 0; first < work.in; first += kDotChunkBf16) {
    const int64_t rest = work.in - first;
    const int64_t n = rest < kDotChunkBf16 ? rest : kDotChunkBf16;
    // The same outputs fall to the same thread in every chunk.
#pragma omp for schedule(static) nowait
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t output = block * kDotOutputs;
      if (output + kDotOutputs <= work.out) {
        DotBlockBf16<kDotOutputs>(work, output, first, n);
      } else {
        for (int64_t k = output; k < work.out; ++k) {
          DotBlockBf16<1>(work, k, first, n);
        }
      }
    }
  }
  AddBias(work.bias, work.relu, work.outputs, work.images, work.out);
}

constexpr auto kLinearForwardBf16 = &LinearForwardBf16;
#else
constexpr void (*kLinearForwardBf16)(const LinearForwardBf16Work&) = nullptr;
#endif

}  // namespace
}  // namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE
