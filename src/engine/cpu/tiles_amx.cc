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

// One block of channels of two images (the second may be null) as
// [places][16 c][2].
void PackMaps(const CorrelationShape& shape, int64_t block,
              const Bfloat16* first, const Bfloat16* second, Bfloat16* packed) {
  const Shape3& map = shape.map;
  const int64_t rest = map.channels - block * kTileSide;
  Place place(0, shape.columns());
  for (int64_t i = 0; i < shape.places(); ++i, place.Next()) {
    const int64_t y = place.y - shape.top;
    const int64_t x = place.x - shape.left;
    __m512i values = _mm512_setzero_si512();
    if (y >= 0 && y < map.height && x >= 0 && x < map.width) {
      const int64_t at = (y * map.width + x) * map.channels + block * kTileSide;
      values = Interleave(
          Loaded(first + at, rest),
          second ? Loaded(second + at, rest) : _mm256_setzero_si256());
    }
    _mm512_storeu_si512(packed + i * kTileValues, values);
  }
}

// The same of their output gradients as [tiles][16 k][16 places][2], with zeros
// between the rows.
void PackGradients(const CorrelationShape& shape, int64_t block,
                   const Bfloat16* first, const Bfloat16* second,
                   Bfloat16* packed) {
  const Shape3& output = shape.output;
  Place place(0, shape.columns());
  for (int64_t tile = 0; tile < shape.tiles(); ++tile) {
    __m512i rows[16];
    for (int i = 0; i < 16; ++i, place.Next()) {
      rows[i] = _mm512_setzero_si512();
      if (place.y >= output.height || place.x >= output.width) continue;
      const int64_t at = (place.y * output.width + place.x) * output.channels +
                         block * kTileSide;
      rows[i] = Interleave(Loaded(first + at), second ? Loaded(second + at)
                                                      : _mm256_setzero_si256());
    }
    Transpose(rows);
    StoreTile(rows, packed + tile * kTileElements);
  }
}

// Sums of up to three taps × two blocks of inputs, of one block of outputs: of
// tap t and block c in the register and the place 2·t + c. Neighbouring taps
// read maps that are one place apart, so for six products the L2 cache has to
// give three tiles; what else they read is in the L1 cache.
constexpr int kTapSums = 6;

[[gnu::always_inline]] inline void ZeroTapSums() {
  ZeroSums();
  _tile_zero(4);
  _tile_zero(5);
}

template <int kTaps, int kInputs>
[[gnu::always_inline]] inline void LoadTapSums(float* const (&from)[kTapSums]) {
  _tile_loadd(0, from[0], kRowBytes);
  if (kInputs > 1) _tile_loadd(1, from[1], kRowBytes);
  if (kTaps > 1) _tile_loadd(2, from[2], kRowBytes);
  if (kTaps > 1 && kInputs > 1) _tile_loadd(3, from[3], kRowBytes);
  if (kTaps > 2) _tile_loadd(4, from[4], kRowBytes);
  if (kTaps > 2 && kInputs > 1) _tile_loadd(5, from[5], kRowBytes);
}

template <int kTaps, int kInputs>
[[gnu::always_inline]] inline void StoreTapSums(float* const (&to)[kTapSums]) {
  _tile_stored(0, to[0], kRowBytes);
  if (kInputs > 1) _tile_stored(1, to[1], kRowBytes);
  if (kTaps > 1) _tile_stored(2, to[2], kRowBytes);
  if (kTaps > 1 && kInputs > 1) _tile_stored(3, to[3], kRowBytes);
  if (kTaps > 2) _tile_stored(4, to[4], kRowBytes);
  if (kTaps > 2 && kInputs > 1) _tile_stored(5, to[5], kRowBytes);
}

// sums += gradients · maps of a tile of places.
template <int kTaps, int kInputs>
[[gnu::always_inline]] inline void MultiplyTaps(const Bfloat16* gradients,
                                                const Bfloat16* maps,
                                                int64_t next_block) {
  const Bfloat16* next = maps + next_block;
  _tile_loadd(6, gradients, kRowBytes);
  _tile_loadd(7, maps, kRowBytes);
  _tile_dpbf16ps(0, 6, 7);
  if (kInputs > 1) {
    _tile_loadd(7, next, kRowBytes);
    _tile_dpbf16ps(1, 6, 7);
  }
  if (kTaps > 1) {
    _tile_loadd(7, maps + kTileValues, kRowBytes);
    _tile_dpbf16ps(2, 6, 7);
  }
  if (kTaps > 1 && kInputs > 1) {
    _tile_loadd(7, next + kTileValues, kRowBytes);
    _tile_dpbf16ps(3, 6, 7);
  }
  if (kTaps > 2) {
    _tile_loadd(7, maps + 2 * kTileValues, kRowBytes);
    _tile_dpbf16ps(4, 6, 7);
  }
  if (kTaps > 2 && kInputs > 1) {
    _tile_loadd(7, next + 2 * kTileValues, kRowBytes);
    _tile_dpbf16ps(5, 6, 7);
  }
}

// Row r of the kernel, of block k of the outputs with c and its neighbour of
// the inputs.
struct TapRow {
  int64_t k, c, r;
  int64_t pairs;  // of images
  bool fresh;     // sums begin at zero
};

// The taps [s, s + kTaps) of the row.
template <int kTaps, int kInputs>
void AddTaps(const TileWeightGradient& work, const TapRow& row, int64_t s) {
  const CorrelationShape& shape = work.shape;
  const int64_t tiles = shape.tiles();
  const Bfloat16* gradients =
      work.packed_gradient + row.k * tiles * kTileElements;
  const Bfloat16* maps =
      work.packed_map +
      (row.c * shape.places() + row.r * shape.columns() + s) * kTileValues;
  float* sums[kTapSums];
  for (int i = 0; i < kTapSums; ++i) {
    sums[i] =
        work.sum + ((row.k * shape.blocks() + row.c + i % 2) * shape.taps() +
                    row.r * shape.kernel.width + s + i / 2) *
                       kTileSums;
  }
  BeforeTileLoads();
  row.fresh ? ZeroTapSums() : LoadTapSums<kTaps, kInputs>(sums);
  for (int64_t pair = 0; pair < row.pairs; ++pair) {
    const Bfloat16* a = gradients + pair * 2 * shape.packed_gradient_elements();
    const Bfloat16* b = maps + pair * 2 * shape.map_elements();
    for (int64_t tile = 0; tile < tiles; ++tile) {
      MultiplyTaps<kTaps, kInputs>(a, b, shape.places() * kTileValues);
      a += kTileElements;
      b += kTileElements;
    }
  }
  StoreTapSums<kTaps, kInputs>(sums);
}

template <int kInputs>
void AddRow(const TileWeightGradient& work, const TapRow& row) {
  const int64_t width = work.shape.kernel.width;
  int64_t s = 0;
  for (; s + 3 <= width; s += 3) AddTaps<3, kInputs>(work, row, s);
  if (s + 2 == width) AddTaps<2, kInputs>(work, row, s);
  if (s + 1 == width) AddTaps<1, kInputs>(work, row, s);
}

// Σ of the output gradients of `images` images, block by block of channels:
// added to the bias' gradient or, being the first, put in its place.
void AddBiasGradient(const TileWeightGradient& work, int64_t first,
                     int64_t images) {
  const int64_t channels = work.shape.output.channels;
  const int64_t places = work.shape.output.height * work.shape.output.width;
#pragma omp for schedule(static) nowait
  for (int64_t k = 0; k < channels; k += kTileSide) {
    __m512 total =
        first == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(work.bias + k);
    for (int64_t n = first; n < first + images; ++n) {
      const Bfloat16* from = work.gradient + n * places * channels + k;
      __m512 sum = _mm512_setzero_ps();
      for (int64_t i = 0; i < places; ++i, from += channels) {
        const __m512i bits = _mm512_cvtepu16_epi32(Loaded(from));
        sum = _mm512_add_ps(sum,
                            _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16)));
      }
      total = _mm512_add_ps(total, sum);
    }
    _mm512_storeu_ps(work.bias + k, total);
  }
}

// As [pair][C/16][places][16 c][2] and [pair][K/16][tiles][16 k][16 places][2].
void PackPairs(const TileWeightGradient& work, int64_t first, int64_t images) {
  const CorrelationShape& shape = work.shape;
  const int64_t map = shape.map_values();
  const int64_t output = shape.output_values();
  const int64_t blocks = shape.blocks();
  const int64_t output_blocks = shape.output_blocks();
#pragma omp for collapse(2) schedule(static) nowait
  for (int64_t i = 0; i < images; i += 2) {
    for (int64_t block = 0; block < blocks; ++block) {
      const Bfloat16* x = work.map + (first + i) * map;
      PackMaps(shape, block, x, i + 1 < images ? x + map : nullptr,
               work.packed_map + i * shape.map_elements() +
                   block * shape.places() * kTileValues);
    }
  }
#pragma omp for collapse(2) schedule(static)
  for (int64_t i = 0; i < images; i += 2) {
    for (int64_t block = 0; block < output_blocks; ++block) {
      const Bfloat16* dy = work.gradient + (first + i) * output;
      PackGradients(shape, block, dy, i + 1 < images ? dy + output : nullptr,
                    work.packed_gradient +
                        i * shape.packed_gradient_elements() +
                        block * shape.tiles() * kTileElements);
    }
  }
}

void WeightGradient(const TileWeightGradient& work) {
  const CorrelationShape& shape = work.shape;
  const int64_t outputs = shape.output_blocks();
  const int64_t inputs = shape.blocks();
  const int64_t rows = shape.kernel.height;
#pragma omp parallel
  {
    const TilesOfThread tiles;
    for (int64_t first = 0; first < work.images; first += work.images_at_once) {
      const int64_t rest = work.images - first;
      const int64_t images =
          rest < work.images_at_once ? rest : work.images_at_once;
      const int64_t pairs = (images + 1) / 2;
      AddBiasGradient(work, first, images);
      PackPairs(work, first, images);
      // The packed gradients of a block of outputs stay in a thread's cache
      // while the maps go by.
#pragma omp for collapse(3) schedule(static)
      for (int64_t k = 0; k < outputs; ++k) {
        for (int64_t c = 0; c < inputs; c += 2) {
          for (int64_t r = 0; r < rows; ++r) {
            const TapRow row = {k, c, r, pairs, /*fresh=*/first == 0};
            c + 1 < inputs ? AddRow<2>(work, row) : AddRow<1>(work, row);
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
