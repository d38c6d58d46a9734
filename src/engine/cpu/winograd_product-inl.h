// SPDX-License-Identifier: MIT
// The products between Winograd's transforms, part of winograd-inl.h. A tile of
// sums stays in registers: its rows' values are broadcast, its columns are
// vectors of the other factor.
#include <cstdint>

#include "engine/cpu/vector-inl.h"

namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE {
namespace {

#if defined(__AVX512F__)
// Of the 32 registers 24 hold sums, two a row of weights, the rest broadcasts.
constexpr int kRows = 12;
constexpr int kColumns = 2;  // vectors
// Of the transposed product; the rows divide the lanes.
constexpr int kTransposedRows = 8;
constexpr int kTransposedColumns = 2;
#else
// 12 of the 16 registers hold sums.
constexpr int kRows = 6;
constexpr int kColumns = 2;
// 8 × 2 would spill: 91 against 123 GFLOP/s.
constexpr int kTransposedRows = 4;
constexpr int kTransposedColumns = 3;
#endif

// Where the left factor's values lie: row i, step k at
// i · row + k / inner · outer_step + k % inner · inner_step.
struct LeftFactor {
  const float* data;
  int64_t row;
  int64_t outer;  // steps are counted outer · inner
  int64_t outer_step;
  int64_t inner;
  int64_t inner_step;
};

// kHeight × kWidth vectors of to[i][j] (+)= Σ_k left[i][k] · right[j][k], with
// right[j] and to[·][j] `right_stride` and `to_stride` floats apart in j.
template <int kHeight, int kWidth>
[[gnu::always_inline]] inline void MultiplyTile(const LeftFactor& factor,
                                                const float* right,
                                                int64_t right_stride,
                                                bool accumulate, float* to,
                                                int64_t to_stride) {
  Vector sums[kHeight][kWidth] = {};
  for (int64_t outer = 0; outer < factor.outer; ++outer) {
    const float* left = factor.data + outer * factor.outer_step;
    for (int64_t k = 0; k < factor.inner; ++k) {
      Vector weights[kWidth];
#pragma GCC unroll 4
      for (int j = 0; j < kWidth; ++j) {
        weights[j] = *reinterpret_cast<const Vector*>(right + j * right_stride);
      }
      right += kLanes;
#pragma GCC unroll 16
      for (int i = 0; i < kHeight; ++i) {
        const float value = left[i * factor.row];
#pragma GCC unroll 4
        for (int j = 0; j < kWidth; ++j) sums[i][j] += value * weights[j];
      }
      left += factor.inner_step;
    }
  }
  for (int i = 0; i < kHeight; ++i) {
    for (int j = 0; j < kWidth; ++j) {
      auto* place = reinterpret_cast<Vector*>(to + j * to_stride + i * kLanes);
      *place = accumulate ? *place + sums[i][j] : sums[i][j];
    }
  }
}

// Tiles [0, rows), kHeight at once and then ever fewer.
template <int kHeight, int kWidth>
void MultiplyRows(const float* maps, int64_t tiles, int64_t rows,
                  const float* weights, int64_t inputs, float* to) {
  int64_t t = 0;
  for (; t + kHeight <= rows; t += kHeight) {
    MultiplyTile<kHeight, kWidth>({.data = maps + t * kLanes,
                                   .row = kLanes,
                                   .outer = inputs / kLanes,
                                   .outer_step = tiles * kLanes,
                                   .inner = kLanes,
                                   .inner_step = 1},
                                  weights, inputs * kLanes,
                                  /*accumulate=*/false, to + t * kLanes,
                                  tiles * kLanes);
  }
  if constexpr (kHeight > 1) {
    MultiplyRows<kHeight / 2, kWidth>(maps + t * kLanes, tiles, rows - t,
                                      weights, inputs, to + t * kLanes);
  }
}

// Calls product<kBlocks>() with as many blocks as there are, kMost at most.
template <int kMost, class Product>
void WithBlocks(int64_t blocks, const Product& product) {
  if constexpr (kMost > 1) {
    if (blocks < kMost) return WithBlocks<kMost - 1>(blocks, product);
  }
  product.template operator()<kMost>();
}

// Calls product<kBlocks>(ξ, first block) for all blocks of outputs of all
// planes, kMost blocks at once while there are so many.
template <int kMost, class Product>
void ForEachBlocks(int64_t planes, int64_t blocks, const Product& product) {
  const int64_t groups = (blocks + kMost - 1) / kMost;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t xi = 0; xi < planes; ++xi) {
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t block = group * kMost;
      WithBlocks<kMost>(blocks - block, [&]<int kBlocks>() {
        product.template operator()<kBlocks>(xi, block);
      });
    }
  }
}

void Multiply(const float* maps, const float* weights, int64_t planes,
              int64_t tiles, int64_t inputs, int64_t outputs, float* to) {
  const int64_t blocks = outputs / kLanes;
  ForEachBlocks<kColumns>(
      planes, blocks, [&]<int kBlocks>(int64_t xi, int64_t block) {
        MultiplyRows<kRows, kBlocks>(
            maps + xi * inputs * tiles, tiles, tiles,
            weights + (xi * blocks + block) * inputs * kLanes, inputs,
            to + (xi * blocks + block) * tiles * kLanes);
      });
}

void MultiplyTransposed(const float* maps, const float* gradients,
                        int64_t planes, int64_t tiles, int64_t inputs,
                        int64_t outputs, bool accumulate, float* to) {
  const int64_t blocks = outputs / kLanes;
  ForEachBlocks<kTransposedColumns>(
      planes, blocks, [&]<int kBlocks>(int64_t xi, int64_t block) {
        const float* left = maps + xi * inputs * tiles;
        const float* right = gradients + (xi * blocks + block) * tiles * kLanes;
        float* out = to + (xi * blocks + block) * inputs * kLanes;
        for (int64_t c = 0; c < inputs; c += kTransposedRows) {
          MultiplyTile<kTransposedRows, kBlocks>(
              {.data = left + c / kLanes * tiles * kLanes + c % kLanes,
               .row = 1,
               .outer = 1,
               .outer_step = 0,
               .inner = tiles,
               .inner_step = kLanes},
              right, tiles * kLanes, accumulate, out + c * kLanes,
              inputs * kLanes);
        }
      });
}

}  // namespace
}  // namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE
