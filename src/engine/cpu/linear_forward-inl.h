// SPDX-License-Identifier: MIT
// y = x·wᵀ + b of a linear layer, part of kernels-inl.h, in float32 and, where
// the instruction set multiplies it, bfloat16. The library's product of a
// transposed matrix reaches a sixth of the machine's speed at batch 32 (fc6: 65
// ms against 10 ms here) and copies the weights besides.
//
// Weights stay as PyTorch has them, a row an output, so a tile is kDotImages ×
// kDotOutputs dot products, each in one vector: 6 × 4 of the 32 zmm registers
// need 10 loads for 24 multiply-adds, 4 × 3 of the 16 ymm 7 for 12. Rows are
// cut into chunks, so that the inputs' chunk (32 images × 18 KB, or 6 KB where
// the L2 cache may be one of 512 KB) stays in the L2 cache while the weights go
// by once.
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include <cstdint>
#include <utility>

#include "engine/cpu/kernels.h"

namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE {
namespace {

#if defined(__AVX512F__)
constexpr int kDotLanes = 16;
constexpr int kDotImages = 6;
constexpr int kDotOutputs = 4;
constexpr int64_t kDotChunkBytes = 18 << 10;
#elif defined(__AVX2__)
constexpr int kDotLanes = 8;
constexpr int kDotImages = 4;
constexpr int kDotOutputs = 3;
constexpr int64_t kDotChunkBytes = 6 << 10;
#else
constexpr int kDotLanes = 4;
constexpr int kDotImages = 2;
constexpr int kDotOutputs = 2;
constexpr int64_t kDotChunkBytes = 6 << 10;
#endif

typedef float DotVector __attribute__((vector_size(kDotLanes * sizeof(float)),
                                       aligned(4), may_alias));

// The upper half of the lanes onto the lower, until one is left.
template <int kCount>
float SumOfFirst(const DotVector& vector) {
  if constexpr (kCount == 1) {
    return vector[0];
  } else {
    const auto upper = [&]<size_t... i>(std::index_sequence<i...>) {
      return DotVector(__builtin_shufflevector(
          vector, vector, (static_cast<int>(i) + kCount / 2) % kDotLanes...));
    }
    (std::make_index_sequence<kDotLanes>{});
    return SumOfFirst<kCount / 2>(vector + upper);
  }
}

// What the products are made of: float32 …
struct Float32Products {
  using Value = float;
  static constexpr int64_t kValues = kDotLanes;  // in a vector
  using Vector = DotVector;

  static Vector Load(const Value* from) {
    return *reinterpret_cast<const Vector*>(from);
  }
  static void MultiplyAdd(DotVector& sum, const Vector& x, const Vector& w) {
    sum += x * w;
  }
  static void Convert(const float* from, int64_t n, Value* to) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
  }
  static const Value* Weights(const LinearForwardWork& work) {
    return work.weights;
  }
};

#if defined(__AVX512BF16__)
// … or bfloat16, of which one instruction multiplies and adds 32 pairs.
struct Bfloat16Products {
  using Value = Bfloat16;
  static constexpr int64_t kValues = 2 * kDotLanes;
  using Vector = __m512i;

  static Vector Load(const Value* from) { return _mm512_loadu_si512(from); }
  static void MultiplyAdd(DotVector& sum, const Vector& x, const Vector& w) {
    sum =
        DotVector(_mm512_dpbf16_ps(__m512(sum), (__m512bh)(x), (__m512bh)(w)));
  }
  // To the nearest.
  static void Convert(const float* from, int64_t n, Value* to) {
    for (int64_t i = 0; i < n; i += kDotLanes) {
      const int64_t rest = n - i;
      const auto mask =
          static_cast<__mmask16>(rest >= kDotLanes ? 0xFFFF : (1 << rest) - 1);
      const __m512 values = _mm512_maskz_loadu_ps(mask, from + i);
      _mm256_mask_storeu_epi16(to + i, mask,
                               (__m256i)(_mm512_cvtneps_pbh(values)));
    }
  }
  static const Value* Weights(const LinearForwardWork& work) {
    return work.weights_bf16;
  }
};
#endif

// Calls tile<images>(first image) for all images, kImages at once and then
// ever fewer.
template <int kImages, class Tile>
void ForEachTile(int64_t first_image, int64_t images, const Tile& tile) {
  int64_t image = first_image;
  for (; image + kImages <= images; image += kImages) {
    tile.template operator()<kImages>(image);
  }
  if constexpr (kImages > 1) ForEachTile<kImages / 2>(image, images, tile);
}

template <class P>
struct LinearForwardOf {
  using Value = typename P::Value;
  using Vector = typename P::Vector;
  static constexpr int64_t kValues = P::kValues;
  static constexpr int64_t kChunk = kDotChunkBytes / sizeof(Value);

  const LinearForwardWork& work;
  int64_t columns = (work.in + kValues - 1) / kValues * kValues;
  Value* packed = static_cast<Value*>(work.packed_inputs);

  // The rows of weights of one tile, of the columns of one chunk.
  struct Rows {
    const Value* data;
    int64_t stride;
  };

  // The images of a tile side by side, vector by vector. In their rows they
  // would lie in · 4 bytes apart, for AlexNet's layers a multiple of 4 KB, and
  // fall on the same sets of the L1 cache.
  void Pack(int64_t image, int64_t images) const {
    Value* to = packed + image * columns;
    for (int64_t i = 0; i < work.in; i += kValues) {
      const int64_t rest = work.in - i;
      const int64_t n = rest < kValues ? rest : kValues;
      for (int64_t k = 0; k < images; ++k, to += kValues) {
        P::Convert(work.inputs + (image + k) * work.in + i, n, to);
        for (int64_t t = n; t < kValues; ++t) to[t] = 0;
      }
    }
  }

  template <int kImages, int kOutputs>
  [[gnu::always_inline]] static void AddProducts(
      const Value* x, const Vector (&weights)[kOutputs],
      DotVector (&sums)[kImages][kOutputs]) {
#pragma GCC unroll 8
    for (int n = 0; n < kImages; ++n) {
      const Vector value = P::Load(x + n * kValues);
#pragma GCC unroll 8
      for (int k = 0; k < kOutputs; ++k) {
        P::MultiplyAdd(sums[n][k], value, weights[k]);
      }
    }
  }

  // Adds the products of the columns [first, first + n) to y.
  template <int kImages, int kOutputs>
  void Tile(const Rows& rows, int64_t image, int64_t output, int64_t first,
            int64_t n) const {
    const Value* x = packed + image * columns + first * kImages;
    DotVector sums[kImages][kOutputs] = {};
    Vector weights[kOutputs];
    int64_t i = 0;
    for (; i + kValues <= n; i += kValues, x += kImages * kValues) {
#pragma GCC unroll 8
      for (int k = 0; k < kOutputs; ++k) {
        weights[k] = P::Load(rows.data + k * rows.stride + i);
      }
      AddProducts<kImages, kOutputs>(x, weights, sums);
    }
    if (i < n) {
      for (int k = 0; k < kOutputs; ++k) {
        Value last[kValues] = {};
        std::memcpy(last, rows.data + k * rows.stride + i,
                    static_cast<size_t>(n - i) * sizeof(Value));
        weights[k] = P::Load(last);
      }
      AddProducts<kImages, kOutputs>(x, weights, sums);
    }
    for (int of_tile = 0; of_tile < kImages; ++of_tile) {
      for (int k = 0; k < kOutputs; ++k) {
        work.outputs[(image + of_tile) * work.out + output + k] +=
            SumOfFirst<kDotLanes>(sums[of_tile][k]);
      }
    }
  }

  // kOutputs outputs of all images. Weights that are not of the products' type
  // are converted first, once for all images.
  template <int kOutputs>
  void Outputs(int64_t output, int64_t first, int64_t n) const {
    [[maybe_unused]] alignas(64) Value converted[kOutputs * kChunk];
    Rows rows = {converted, kChunk};
    if (const Value* weights = P::Weights(work)) {
      rows = {weights + output * work.in + first, work.in};
    } else {
      for (int k = 0; k < kOutputs; ++k) {
        P::Convert(work.weights + (output + k) * work.in + first, n,
                   converted + k * kChunk);
      }
    }
    ForEachTile<kDotImages>(0, work.images, [&]<int kImages>(int64_t image) {
      Tile<kImages, kOutputs>(rows, image, output, first, n);
    });
  }

  void Run() const {
    std::memset(work.outputs, 0,
                static_cast<size_t>(work.images * work.out) * sizeof(float));
    ForEachTile<kDotImages>(0, work.images, [&]<int kImages>(int64_t image) {
      Pack(image, kImages);
    });
    const int64_t blocks = (work.out + kDotOutputs - 1) / kDotOutputs;
    const bool large = work.out * work.in >= kParallelFrom;
#pragma omp parallel if (large)
    for (int64_t first = 0; first < work.in; first += kChunk) {
      const int64_t rest = work.in - first;
      const int64_t n = rest < kChunk ? rest : kChunk;
      // The same outputs fall to the same thread in every chunk.
#pragma omp for schedule(static) nowait
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t output = block * kDotOutputs;
        if (output + kDotOutputs <= work.out) {
          Outputs<kDotOutputs>(output, first, n);
        } else {
          for (int64_t k = output; k < work.out; ++k) Outputs<1>(k, first, n);
        }
      }
    }
    AddBias(work.bias, work.relu, work.outputs, work.images, work.out);
  }
};

void LinearForward(const LinearForwardWork& work) {
  LinearForwardOf<Float32Products>{work}.Run();
}

#if defined(__AVX512BF16__)
void LinearForwardBf16(const LinearForwardWork& work) {
  LinearForwardOf<Bfloat16Products>{work}.Run();
}
#endif

}  // namespace
}  // namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE
