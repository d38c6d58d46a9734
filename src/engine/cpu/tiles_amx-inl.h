// SPDX-License-Identifier: MIT
// What the files that compute by AMX share.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "engine/cpu/tiles.h"

namespace alexnet::cpu::amx {
namespace {

constexpr int64_t kRowBytes = 64;
constexpr int64_t kTileBytes = kTileSide * kRowBytes;

// What was written so far is in memory: the compiler does not know what a
// tile's load reads.
[[gnu::always_inline]] inline void BeforeTileLoads() {
  asm volatile("" : : : "memory");
}

// Threads keep the shapes of tiles to themselves, and so does the library.
class TilesOfThread {
 public:
  TilesOfThread() {
    struct alignas(64) {
      uint8_t palette = 1;
      uint8_t start_row = 0;
      uint8_t reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } shapes;
    for (int i = 0; i < 8; ++i) {
      shapes.row_bytes[i] = kRowBytes;
      shapes.rows[i] = kTileSide;
    }
    BeforeTileLoads();
    _tile_loadconfig(&shapes);
  }
  ~TilesOfThread() { _tile_release(); }
  TilesOfThread(const TilesOfThread&) = delete;
  TilesOfThread& operator=(const TilesOfThread&) = delete;
};

// rows[i][j] ↔ rows[j][i], of 32-bit values.
[[gnu::always_inline]] inline void Transpose(__m512i (&rows)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // Now row 4·b + j holds, in its lane l, the values j + 4·l of rows 4·b ….
  for (int j = 0; j < 4; ++j) {
    const __m512i a = _mm512_shuffle_i32x4(rows[j], rows[4 + j], 0x44);
    const __m512i b = _mm512_shuffle_i32x4(rows[j], rows[4 + j], 0xEE);
    const __m512i c = _mm512_shuffle_i32x4(rows[8 + j], rows[12 + j], 0x44);
    const __m512i d = _mm512_shuffle_i32x4(rows[8 + j], rows[12 + j], 0xEE);
    t[j] = _mm512_shuffle_i32x4(a, c, 0x88);
    t[4 + j] = _mm512_shuffle_i32x4(a, c, 0xDD);
    t[8 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
    t[12 + j] = _mm512_shuffle_i32x4(b, d, 0xDD);
  }
  for (int i = 0; i < 16; ++i) rows[i] = t[i];
}

[[gnu::always_inline]] inline void StoreTile(const __m512i (&rows)[16],
                                             Bfloat16* tile) {
  for (int i = 0; i < 16; ++i) {
    _mm512_storeu_si512(tile + i * kTileValues, rows[i]);
  }
}

// a[0] …, b[0] …
[[gnu::always_inline]] inline __m512i Joined(__m256i a, __m256i b) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}

// a[0], b[0], a[1], b[1], …
[[gnu::always_inline]] inline __m512i Interleave(__m256i a, __m256i b) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(a),
                         _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
}

// The first `rest` of 16 lanes; none where there is no rest.
[[gnu::always_inline]] inline __mmask16 Lanes(int64_t rest) {
  if (rest >= kTileSide) return 0xFFFF;
  return static_cast<__mmask16>(rest <= 0 ? 0 : (1 << rest) - 1);
}

// 16 values, or the first `rest` and zeros.
[[gnu::always_inline]] inline __m256i Loaded(const Bfloat16* from,
                                             int64_t rest = kTileSide) {
  return _mm256_maskz_loadu_epi16(Lanes(rest), from);
}

// The same, rounded to bfloat16.
[[gnu::always_inline]] inline __m256i Rounded(const float* from,
                                              int64_t rest = kTileSide) {
  return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(Lanes(rest), from));
}

// A place of the padded map; they are gone through in order.
struct Place {
  int64_t columns, y, x;
  [[gnu::always_inline]] Place(int64_t index, int64_t of_a_row)
      : columns(of_a_row), y(index / of_a_row), x(index % of_a_row) {}
  [[gnu::always_inline]] void Next() {
    if (++x < columns) return;
    x = 0;
    ++y;
  }
};

}  // namespace

// In tiles_weights_amx.cc; the other kernels are tiles_amx.cc's.
void WeightGradient(const TileWeightGradient& work);

}  // namespace alexnet::cpu::amx
