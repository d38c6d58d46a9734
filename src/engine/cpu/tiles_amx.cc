// SPDX-License-Identifier: MIT
// See kernels-inl.h for what may not be called from here.
#include <omp.h>

#include <cstring>

#include "engine/cpu/tiles.h"
#include "engine/cpu/tiles_amx-inl.h"

namespace alexnet::cpu::amx {
namespace {

// The weights of one tap and one pair of blocks of channels.
[[gnu::always_inline]] inline const float* WeightTile(const float* weights,
                                                      int64_t input_blocks,
                                                      int64_t taps, int64_t k,
                                                      int64_t c, int64_t tap) {
  return weights + ((k * input_blocks + c) * taps + tap) * kTileSums;
}

// A step takes two blocks of channels of one row of the kernel, which may
// belong to two taps. Beyond the row's end there are zeros.
struct HalfStep {
  int64_t block, tap;
  bool inside;
  [[gnu::always_inline]] HalfStep(const CorrelationShape& shape, int64_t step,
                                  int64_t half) {
    const int64_t in_row = step % shape.steps_in_row() * 2 + half;
    const int64_t s = in_row / shape.blocks();
    block = in_row % shape.blocks();
    tap = step / shape.steps_in_row() * shape.kernel.width + s;
    inside = s < shape.kernel.width;
  }
};

void PackWeights(const CorrelationShape& shape, const float* weights,
                 Bfloat16* packed) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t k = 0; k < shape.output_blocks(); ++k) {
    for (int64_t step = 0; step < shape.steps(); ++step) {
      __m256i halves[2][kTileSide] = {};
      for (int64_t half = 0; half < 2; ++half) {
        const HalfStep of(shape, step, half);
        if (!of.inside) continue;
        const float* tile = WeightTile(weights, shape.blocks(), shape.taps(), k,
                                       of.block, of.tap);
        for (int64_t i = 0; i < kTileSide; ++i) {
          halves[half][i] = Rounded(tile + i * kTileSide);
        }
      }
      __m512i rows[16];
      for (int i = 0; i < 16; ++i) rows[i] = Joined(halves[0][i], halves[1][i]);
      Transpose(rows);
      StoreTile(rows, packed + (k * shape.steps() + step) * kTileElements);
    }
  }
}

void PackTurnedWeights(const CorrelationShape& shape, const float* weights,
                       Bfloat16* packed) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t c = 0; c < shape.output_blocks(); ++c) {
    for (int64_t step = 0; step < shape.steps(); ++step) {
      Bfloat16* to = packed + (c * shape.steps() + step) * kTileElements;
      for (int64_t half = 0; half < 2; ++half, to += kTileElements / 2) {
        const HalfStep of(shape, step, half);
        if (!of.inside) {
          std::memset(to, 0, kTileBytes / 2);
          continue;
        }
        const float* tile =
            WeightTile(weights, shape.output_blocks(), shape.taps(), of.block,
                       c, shape.taps() - 1 - of.tap);
        for (int64_t i = 0; i < kTileSide; i += 2) {
          _mm512_storeu_si512(to + i * kTileSide,
                              Interleave(Rounded(tile + i * kTileSide),
                                         Rounded(tile + (i + 1) * kTileSide)));
        }
      }
    }
  }
}

// One image with its padding, channels filled up.
void PadMap(const CorrelationShape& shape, const Bfloat16* image,
            Bfloat16* padded) {
  const Shape3& map = shape.map;
  const int64_t depth = shape.blocks() * kTileSide;
  std::memset(padded, 0,
              static_cast<size_t>(shape.map_elements()) * sizeof(Bfloat16));
  const int64_t rest = shape.columns() - shape.left;
  const int64_t width = map.width < rest ? map.width : rest;
  for (int64_t y = 0; y < shape.rows(); ++y) {
    const int64_t from_row = y - shape.top;
    if (from_row < 0 || from_row >= map.height) continue;
    const Bfloat16* from = image + from_row * map.width * map.channels;
    Bfloat16* to = padded + (y * shape.columns() + shape.left) * depth;
    if (map.channels == depth) {
      std::memcpy(to, from,
                  static_cast<size_t>(width * depth) * sizeof(Bfloat16));
      continue;
    }
    for (int64_t x = 0; x < width; ++x) {
      std::memcpy(to + x * depth, from + x * map.channels,
                  static_cast<size_t>(map.channels) * sizeof(Bfloat16));
    }
  }
}

// Up to 2 × 2 tiles of sums are in the registers 0 … 3: of row i and column j
// in 2·i + j, there and in arrays of four.
[[gnu::always_inline]] inline void ZeroSums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

template <int kRows, int kColumns>
[[gnu::always_inline]] inline void StoreSums(float* const (&to)[4]) {
  _tile_stored(0, to[0], kRowBytes);
  if (kColumns > 1) _tile_stored(1, to[1], kRowBytes);
  if (kRows > 1) _tile_stored(2, to[2], kRowBytes);
  if (kRows > 1 && kColumns > 1) _tile_stored(3, to[3], kRowBytes);
}

// sums += rows · columns. The second tile of each begins next_… elements after
// the first; the rows of a tile of rows are `stride` bytes apart.
template <int kRows, int kColumns>
[[gnu::always_inline]] inline void Multiply(const Bfloat16* rows,
                                            int64_t stride, int64_t next_rows,
                                            const Bfloat16* columns,
                                            int64_t next_columns) {
  _tile_loadd(6, columns, kRowBytes);
  _tile_loadd(4, rows, stride);
  _tile_dpbf16ps(0, 4, 6);
  if (kColumns > 1) {
    _tile_loadd(7, columns + next_columns, kRowBytes);
    _tile_dpbf16ps(1, 4, 7);
  }
  if (kRows > 1) {
    _tile_loadd(5, rows + next_rows, stride);
    _tile_dpbf16ps(2, 5, 6);
    if (kColumns > 1) _tile_dpbf16ps(3, 5, 7);
  }
}

// The sums of kPlaces × kOutputs tiles, of all steps.
template <int kPlaces, int kOutputs>
[[gnu::always_inline]] inline void SumTiles(const CorrelationShape& shape,
                                            const Bfloat16* places,
                                            const Bfloat16* weights,
                                            float* const (&sums)[4]) {
  const int64_t depth = shape.blocks() * kTileSide;
  BeforeTileLoads();
  ZeroSums();
  for (int64_t r = 0; r < shape.kernel.height; ++r) {
    const Bfloat16* a = places + r * shape.columns() * depth;
    for (int64_t i = 0; i < shape.steps_in_row(); ++i) {
      Multiply<kPlaces, kOutputs>(a, depth * 2, kTileSide * depth, weights,
                                  shape.steps() * kTileElements);
      a += kTileValues;
      weights += kTileElements;
    }
  }
  StoreSums<kPlaces, kOutputs>(sums);
}

// Adds the bias, rectifies and writes the sums of one tile's places that are
// outputs.
template <int kOutputs>
[[gnu::always_inline]] inline void WriteTile(const TileCorrelation& work,
                                             const float* sums, int64_t tile,
                                             int64_t block, Bfloat16* image) {
  const Shape3& output = work.shape.output;
  const __m512 floor = _mm512_set1_ps(work.relu ? 0.0F : -__builtin_inff());
  __m512 bias[kOutputs];
  for (int k = 0; k < kOutputs; ++k) {
    bias[k] = work.bias ? _mm512_loadu_ps(work.bias + (block + k) * kTileSide)
                        : _mm512_setzero_ps();
  }
  Place place(tile * kTileSide, work.shape.columns());
  for (int64_t i = 0; i < kTileSide; ++i, place.Next()) {
    if (place.y >= output.height || place.x >= output.width) continue;
    Bfloat16* to = image +
                   (place.y * output.width + place.x) * output.channels +
                   block * kTileSide;
    for (int k = 0; k < kOutputs; ++k) {
      const __m512 sum =
          _mm512_loadu_ps(sums + (k * kTileSide + i) * kTileSide);
      // Where one of the two is NaN the second is taken.
      const __m512 value = _mm512_max_ps(floor, _mm512_add_ps(sum, bias[k]));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + k * kTileSide),
                          (__m256i)_mm512_cvtneps_pbh(value));
    }
  }
}

template <int kPlaces, int kOutputs>
void CorrelateTiles(const TileCorrelation& work, const Bfloat16* padded,
                    int64_t tile, int64_t block, Bfloat16* image) {
  const CorrelationShape& shape = work.shape;
  alignas(64) float sums[4 * kTileSums];
  SumTiles<kPlaces, kOutputs>(
      shape, padded + tile * kTileSide * shape.blocks() * kTileSide,
      work.weights + block * shape.steps() * kTileElements,
      {sums, sums + kTileSums, sums + 2 * kTileSums, sums + 3 * kTileSums});
  for (int i = 0; i < kPlaces; ++i) {
    WriteTile<kOutputs>(work, sums + 2 * i * kTileSums, tile + i, block, image);
  }
}

template <int kOutputs>
void CorrelateBlocks(const TileCorrelation& work, const Bfloat16* padded,
                     int64_t block, Bfloat16* image) {
  const int64_t tiles = work.shape.tiles();
  int64_t tile = 0;
  for (; tile + 2 <= tiles; tile += 2) {
    CorrelateTiles<2, kOutputs>(work, padded, tile, block, image);
  }
  if (tile < tiles) {
    CorrelateTiles<1, kOutputs>(work, padded, tile, block, image);
  }
}

void Correlate(const TileCorrelation& work) {
  const CorrelationShape& shape = work.shape;
  const int64_t threads = omp_get_max_threads();
  // Few images are shared out by their outputs, in pairs of blocks; each part
  // pads its image anew.
  constexpr int64_t kShares = 4;  // at least, of a thread
  const int64_t pairs = (shape.output_blocks() + 1) / 2;
  int64_t parts = (kShares * threads + work.images - 1) / work.images;
  if (parts > pairs) parts = pairs;
  const int64_t map = shape.map_values();
  const int64_t output = shape.output_values();
#pragma omp parallel
  {
    const TilesOfThread tiles;
    Bfloat16* padded =
        work.scratch + omp_get_thread_num() * shape.map_elements();
#pragma omp for collapse(2) schedule(static)
    for (int64_t n = 0; n < work.images; ++n) {
      for (int64_t part = 0; part < parts; ++part) {
        PadMap(shape, work.map + n * map, padded);
        Bfloat16* to = work.output + n * output;
        for (int64_t pair = part * pairs / parts;
             pair < (part + 1) * pairs / parts; ++pair) {
          if (2 * pair + 1 < shape.output_blocks()) {
            CorrelateBlocks<2>(work, padded, 2 * pair, to);
          } else {
            CorrelateBlocks<1>(work, padded, 2 * pair, to);
          }
        }
      }
    }
  }
}

}  // namespace

extern const TileKernels kTileKernels;
const TileKernels kTileKernels = {
    .pack_weights = PackWeights,
    .pack_turned_weights = PackTurnedWeights,
    .correlate = Correlate,
    .weight_gradient = WeightGradient,
};

}  // namespace alexnet::cpu::amx
