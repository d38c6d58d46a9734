// SPDX-License-Identifier: MIT
// The weights' gradient of a convolution in tiles (tiles.h). See kernels-inl.h
// for what may not be called from here.
#include "engine/cpu/tiles.h"
#include "engine/cpu/tiles_amx-inl.h"

namespace alexnet::cpu::amx {
namespace {

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
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
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

}  // namespace

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

}  // namespace alexnet::cpu::amx
