// SPDX-License-Identifier: MIT
// The linear layers' three products in bfloat16 by AMX. The weights, most of
// the network's bytes, are float32 and as PyTorch has them, a row an output;
// forward and backward they are rounded on their way through the cache, once
// for every 64 images. See kernels-inl.h for what may not be called from here.
#include <omp.h>

#include "engine/cpu/linear_tiles.h"
#include "engine/cpu/tiles_amx-inl.h"

namespace alexnet::cpu::amx {
namespace {

// Blocks of 16 images (or inputs) whose sums are in registers together.
constexpr int kBlocks = 4;

[[gnu::always_inline]] inline int64_t Least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

[[gnu::always_inline]] inline int64_t CeilDiv(int64_t n, int64_t of) {
  return (n + of - 1) / of;
}

// 32 values, or the first `rest` and zeros.
[[gnu::always_inline]] inline __m512i LoadedPair(const Bfloat16* from,
                                                 int64_t rest) {
  return Joined(Loaded(from, rest), Loaded(from + kTileSide, rest - kTileSide));
}

// The same, rounded to bfloat16.
[[gnu::always_inline]] inline __m512i RoundedPair(const float* from,
                                                  int64_t rest) {
  return Joined(Rounded(from, rest),
                Rounded(from + kTileSide, rest - kTileSide));
}

// 16 rows of 32 values each as a tile.
[[gnu::always_inline]] inline void RoundTile(const float* from, int64_t stride,
                                             int64_t rows, int64_t rest,
                                             Bfloat16* tile) {
  for (int64_t i = 0; i < kTileSide; ++i) {
    _mm512_storeu_si512(tile + i * kTileValues,
                        i < rows ? RoundedPair(from + i * stride, rest)
                                 : _mm512_setzero_si512());
  }
}

// Up to kBlocks tiles of sums, in the registers 0 …
template <int kCount>
[[gnu::always_inline]] inline void ZeroSums() {
  _tile_zero(0);
  if (kCount > 1) _tile_zero(1);
  if (kCount > 2) _tile_zero(2);
  if (kCount > 3) _tile_zero(3);
}

template <int kCount>
[[gnu::always_inline]] inline void LoadSums(const float* from, int64_t next,
                                            int64_t stride) {
  _tile_loadd(0, from, stride);
  if (kCount > 1) _tile_loadd(1, from + next, stride);
  if (kCount > 2) _tile_loadd(2, from + 2 * next, stride);
  if (kCount > 3) _tile_loadd(3, from + 3 * next, stride);
}

template <int kCount>
[[gnu::always_inline]] inline void StoreSums(float* to, int64_t next,
                                             int64_t stride) {
  _tile_stored(0, to, stride);
  if (kCount > 1) _tile_stored(1, to + next, stride);
  if (kCount > 2) _tile_stored(2, to + 2 * next, stride);
  if (kCount > 3) _tile_stored(3, to + 3 * next, stride);
}

// sums += row · columns[…], the columns' tiles `next` elements apart.
template <int kCount>
[[gnu::always_inline]] inline void MultiplyRow(const Bfloat16* row,
                                               int64_t row_stride,
                                               const Bfloat16* columns,
                                               int64_t next) {
  BeforeTileLoads();
  _tile_loadd(4, row, row_stride);
  _tile_loadd(5, columns, kRowBytes);
  _tile_dpbf16ps(0, 4, 5);
  if (kCount > 1) {
    _tile_loadd(6, columns + next, kRowBytes);
    _tile_dpbf16ps(1, 4, 6);
  }
  if (kCount > 2) {
    _tile_loadd(7, columns + 2 * next, kRowBytes);
    _tile_dpbf16ps(2, 4, 7);
  }
  if (kCount > 3) {
    _tile_loadd(5, columns + 3 * next, kRowBytes);
    _tile_dpbf16ps(3, 4, 5);
  }
}

// sums += rows[…] · column.
template <int kCount>
[[gnu::always_inline]] inline void MultiplyColumn(const Bfloat16* rows,
                                                  int64_t next,
                                                  const Bfloat16* column) {
  BeforeTileLoads();
  _tile_loadd(4, column, kRowBytes);
  _tile_loadd(5, rows, kRowBytes);
  _tile_dpbf16ps(0, 5, 4);
  if (kCount > 1) {
    _tile_loadd(6, rows + next, kRowBytes);
    _tile_dpbf16ps(1, 6, 4);
  }
  if (kCount > 2) {
    _tile_loadd(7, rows + 2 * next, kRowBytes);
    _tile_dpbf16ps(2, 7, 4);
  }
  if (kCount > 3) {
    _tile_loadd(5, rows + 3 * next, kRowBytes);
    _tile_dpbf16ps(3, 5, 4);
  }
}

// Calls run<count>(first) for `blocks` blocks, kBlocks at a time.
template <class Run>
[[gnu::always_inline]] inline void ForGroups(int64_t blocks, const Run& run) {
  int64_t first = 0;
  for (; first + kBlocks <= blocks; first += kBlocks) {
    run.template operator()<kBlocks>(first);
  }
  switch (blocks - first) {
    case 1:
      return run.template operator()<1>(first);
    case 2:
      return run.template operator()<2>(first);
    case 3:
      return run.template operator()<3>(first);
    default:
      return;
  }
}

// --- y = x·wᵀ: tiles of outputs × images -------------------------------------

// [images/16][in/32][16 pairs of inputs][16 images][2]
void PackForward(const LinearForwardWork& work, Bfloat16* packed) {
  const int64_t blocks = CeilDiv(work.images, kTileSide);
  const int64_t steps = CeilDiv(work.in, kTileValues);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t i = step * kTileValues;
      __m512i rows[16];
      for (int64_t n = 0; n < kTileSide; ++n) {
        const int64_t image = block * kTileSide + n;
        rows[n] =
            image < work.images
                ? RoundedPair(work.inputs + image * work.in + i, work.in - i)
                : _mm512_setzero_si512();
      }
      Transpose(rows);
      StoreTile(rows, packed + (block * steps + step) * kTileElements);
    }
  }
}

// 16 images' outputs from sums of outputs × images.
void WriteOutputs(const LinearForwardWork& work, const float* sums,
                  int64_t output, int64_t image) {
  __m512i rows[16];
  for (int i = 0; i < 16; ++i)
    rows[i] = _mm512_loadu_si512(sums + i * kTileSide);
  Transpose(rows);
  const __mmask16 lanes = Lanes(work.out - output);
  const __m512 bias = _mm512_maskz_loadu_ps(lanes, work.bias + output);
  const __m512 floor = _mm512_set1_ps(work.relu ? 0.0F : -__builtin_inff());
  for (int64_t n = 0; n < kTileSide && image + n < work.images; ++n) {
    // Where one of the two is NaN the second is taken.
    const __m512 value =
        _mm512_max_ps(floor, _mm512_add_ps(_mm512_castsi512_ps(rows[n]), bias));
    _mm512_mask_storeu_ps(work.outputs + (image + n) * work.out + output, lanes,
                          value);
  }
}

// How far before their use a row's weights are asked for: two steps, a tenth
// less time than without.
constexpr int64_t kAhead = 2 * kTileValues;

// The lines of 16 rows of 32 values each.
[[gnu::always_inline]] inline void AskForTile(const float* from,
                                              int64_t stride) {
  for (int64_t k = 0; k < kTileSide; ++k, from += stride) {
    __builtin_prefetch(from);
    __builtin_prefetch(from + kTileSide);
  }
}

template <int kCount>
void ForwardOutputs(const LinearForwardWork& work, const Bfloat16* packed,
                    int64_t output, int64_t block) {
  const int64_t steps = CeilDiv(work.in, kTileValues);
  const int64_t rows = work.out - output;
  const Bfloat16* x = packed + block * steps * kTileElements;
  ZeroSums<kCount>();
  alignas(64) Bfloat16 tile[2][kTileElements];
  for (int64_t step = 0; step < steps; ++step, x += kTileElements) {
    const int64_t i = step * kTileValues;
    const bool whole = rows >= kTileSide && work.in - i >= kTileValues;
    if (work.weights_bf16 && whole) {
      MultiplyRow<kCount>(work.weights_bf16 + output * work.in + i, work.in * 2,
                          x, steps * kTileElements);
      continue;
    }
    Bfloat16* w = tile[step % 2];
    if (work.weights_bf16) {
      for (int64_t k = 0; k < kTileSide; ++k) {
        const Bfloat16* from = work.weights_bf16 + (output + k) * work.in + i;
        const int64_t rest = k < rows ? work.in - i : 0;
        _mm512_storeu_si512(w + k * kTileValues, LoadedPair(from, rest));
      }
    } else {
      const float* from = work.weights + output * work.in + i;
      AskForTile(from + kAhead, work.in);
      RoundTile(from, work.in, rows, work.in - i, w);
    }
    MultiplyRow<kCount>(w, kRowBytes, x, steps * kTileElements);
  }
  alignas(64) float sums[kCount * kTileSums];
  StoreSums<kCount>(sums, kTileSums, kRowBytes);
  for (int i = 0; i < kCount; ++i) {
    WriteOutputs(work, sums + i * kTileSums, output, (block + i) * kTileSide);
  }
}

void Forward(const LinearForwardWork& work) {
  auto* packed = static_cast<Bfloat16*>(work.packed_inputs);
  PackForward(work, packed);
  const int64_t blocks = CeilDiv(work.images, kTileSide);
#pragma omp parallel
  {
    const TilesOfThread tiles;
#pragma omp for schedule(static)
    for (int64_t output = 0; output < work.out; output += kTileSide) {
      ForGroups(blocks, [&]<int kCount>(int64_t block) {
        ForwardOutputs<kCount>(work, packed, output, block);
      });
    }
  }
}

// --- dx = dy·w: tiles of images × inputs -------------------------------------

// Most inputs worked on together. Their sums (kBlocks · 16 images) and kSteps
// of their weights, packed, take up to 384 KB of the L2 cache, which has 2 MB
// where there is AMX.
constexpr int64_t kInputs = 768;
// Outputs, 32 a step, that a sum takes on between two visits to memory.
constexpr int64_t kSteps = 4;

// [images/16][out/32][16 images][32 outputs].
void PackBackward(const LinearBackwardWork& work, int64_t steps) {
  const int64_t blocks = CeilDiv(work.images, kTileSide);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t image = block * kTileSide;
      const int64_t k = step * kTileValues;
      RoundTile(work.gradients + image * work.out + k, work.out,
                work.images - image, work.out - k,
                static_cast<Bfloat16*>(work.packed_gradients) +
                    (block * steps + step) * kTileElements);
    }
  }
}

// [inputs/16][kSteps][16 pairs of outputs][16 inputs][2] of `steps` steps of
// rows from k on. Goes along two rows at a time, as memory likes it, and asks
// for the next two: a third of the time that columns of tiles take.
void PackWeights(const LinearBackwardWork& work, int64_t k, int64_t steps,
                 int64_t first, int64_t inputs, Bfloat16* packed) {
  for (int64_t pair = 0; pair < steps * kTileSide; ++pair) {
    const int64_t row = k + 2 * pair;
    const float* from = work.weights + row * work.in + first;
    Bfloat16* to = packed + pair * kTileValues;
    for (int64_t i = 0; i < inputs;
         i += kTileSide, from += kTileSide, to += kSteps * kTileElements) {
      const int64_t rest = inputs - i;
      __builtin_prefetch(from + 2 * work.in);
      __builtin_prefetch(from + 3 * work.in);
      _mm512_storeu_si512(
          to,
          Interleave(Rounded(from, row < work.out ? rest : 0),
                     Rounded(from + work.in, row + 1 < work.out ? rest : 0)));
    }
  }
}

// The input gradients of kCount blocks of images and up to kInputs inputs.
template <int kCount>
void BackwardInputs(const LinearBackwardWork& work, int64_t steps,
                    int64_t block, int64_t first, int64_t inputs) {
  const auto* dy = static_cast<const Bfloat16*>(work.packed_gradients) +
                   block * steps * kTileElements;
  alignas(64) float sums[kInputs / kTileSide * kCount * kTileSums];
  alignas(64) Bfloat16 packed[kInputs / kTileSide * kSteps * kTileElements];
  for (int64_t step = 0; step < steps; step += kSteps) {
    const int64_t now = Least(kSteps, steps - step);
    PackWeights(work, step * kTileValues, now, first, inputs, packed);
    const Bfloat16* columns = packed;
    float* sum = sums;
    for (int64_t i = 0; i < inputs; i += kTileSide) {
      if (step == 0) {
        ZeroSums<kCount>();
      } else {
        LoadSums<kCount>(sum, kTileSums, kRowBytes);
      }
      for (int64_t s = 0; s < now; ++s) {
        MultiplyColumn<kCount>(dy + (step + s) * kTileElements,
                               steps * kTileElements,
                               columns + s * kTileElements);
      }
      StoreSums<kCount>(sum, kTileSums, kRowBytes);
      columns += kSteps * kTileElements;
      sum += kCount * kTileSums;
    }
  }
  for (int64_t n = 0; n < kCount * kTileSide; ++n) {
    const int64_t image = block * kTileSide + n;
    if (image >= work.images) break;
    float* to = work.input_gradients + image * work.in + first;
    for (int64_t i = 0; i < inputs; i += kTileSide) {
      const float* sum =
          sums + i / kTileSide * kCount * kTileSums + n * kTileSide;
      _mm512_mask_storeu_ps(to + i, Lanes(inputs - i), _mm512_loadu_ps(sum));
    }
  }
}

void Backward(const LinearBackwardWork& work) {
  const int64_t steps = CeilDiv(work.out, kTileValues);
  PackBackward(work, steps);
  const int64_t blocks = CeilDiv(work.images, kTileSide);
#pragma omp parallel
  {
    const TilesOfThread tiles;
    // About as much for each thread; a sum is the same whatever its part.
    const int64_t threads = omp_get_num_threads();
    const int64_t parts = threads * CeilDiv(work.in, threads * kInputs);
    const int64_t inputs = kTileSide * CeilDiv(work.in, parts * kTileSide);
#pragma omp for schedule(static)
    for (int64_t first = 0; first < work.in; first += inputs) {
      ForGroups(blocks, [&]<int kCount>(int64_t block) {
        BackwardInputs<kCount>(work, steps, block, first,
                               Least(inputs, work.in - first));
      });
    }
  }
}

// --- dW = dyᵀ·x and the update: tiles of outputs × inputs --------------------

// Most columns that are gone through for all rows before the next; the
// gradients of 16 rows take 128 KB of the L2 cache. (They lie 8 KB apart, on
// the same sets of the L1 cache: a line between them changed nothing.)
constexpr int64_t kUpdateColumns = 2048;
// Fewer, to some point, where the columns' packed inputs would take more than 1
// MB.
int64_t UpdateColumns(int64_t images) {
  constexpr int64_t kFewest = 512;
  const int64_t steps = CeilDiv(images, kTileValues);
  const int64_t fit = (int64_t{1} << 20) / (steps * kTileValues * 2);
  return fit < kFewest ? kFewest
                       : Least(fit / kTileSide * kTileSide, kUpdateColumns);
}

// Values of a row that are asked for together: of the next row, while this one
// is updated. That reaches three quarters of the memory's speed, a tile with
// all its rows asked for together a half.
constexpr int64_t kAsked = 32;

// [columns/16][images/32][16 pairs of images][16 columns][2] of a matrix whose
// rows are images; turned: [columns/16][images/32][16 columns][32 images].
template <bool kTurned>
void PackImages(const float* from, int64_t images, int64_t columns,
                Bfloat16* packed) {
  const int64_t steps = CeilDiv(images, kTileValues);
#pragma omp for schedule(static)
  for (int64_t column = 0; column < columns; column += kTileSide) {
    Bfloat16* to = packed + column * steps * kTileValues;
    for (int64_t step = 0; step < steps; ++step, to += kTileElements) {
      __m512i rows[16];
      for (int64_t pair = 0; pair < kTileSide; ++pair) {
        const int64_t n = step * kTileValues + 2 * pair;
        const float* image = from + n * columns + column;
        const int64_t rest = columns - column;
        rows[pair] =
            Interleave(Rounded(image, n < images ? rest : 0),
                       Rounded(image + columns, n + 1 < images ? rest : 0));
      }
      if (kTurned) Transpose(rows);
      StoreTile(rows, to);
    }
  }
}

// The gradients of 16 rows of kCount · 16 columns, in rows of kUpdateColumns.
template <int kCount>
void GradientColumns(const LinearUpdateWork& work, int64_t row, int64_t column,
                     float* gradient) {
  const int64_t steps = CeilDiv(work.images, kTileValues);
  const auto* dy = reinterpret_cast<const Bfloat16*>(work.packed_gradients) +
                   row * steps * kTileValues;
  const auto* x = reinterpret_cast<const Bfloat16*>(work.packed) +
                  column * steps * kTileValues;
  ZeroSums<kCount>();
  for (int64_t step = 0; step < steps; ++step) {
    MultiplyRow<kCount>(dy + step * kTileElements, kRowBytes,
                        x + step * kTileElements, steps * kTileElements);
  }
  StoreSums<kCount>(gradient, kTileSide,
                    kUpdateColumns * static_cast<int64_t>(sizeof(float)));
}

// 16 rows of up to kUpdateColumns columns.
void UpdateRows(const LinearUpdateWork& work,
                const UpdateCoefficients& coefficients, int64_t row,
                int64_t first, int64_t columns) {
  alignas(64) float gradient[kTileSide * kUpdateColumns];
  ForGroups(CeilDiv(columns, kTileSide), [&]<int kCount>(int64_t block) {
    const int64_t column = block * kTileSide;
    GradientColumns<kCount>(work, row, first + column, gradient + column);
  });
  const int64_t rows = Least(kTileSide, work.out - row);
  for (int64_t r = 0; r < rows; ++r) {
    const ParameterTile tile = At(work.weights, (row + r) * work.in + first);
    for (int64_t i = 0; i < columns; i += kAsked) {
      const ParameterTile next = At(tile, work.in + i);
      // To be read: as if to be written was no faster, and the last row's next
      // may be another thread's.
      for (int64_t line = 0; line < kAsked; line += kTileSide) {
        __builtin_prefetch(next.w + line);
        __builtin_prefetch(next.m + line);
        if (next.v) __builtin_prefetch(next.v + line);
      }
      UpdateTile(At(tile, i), gradient + r * kUpdateColumns + i,
                 Least(kAsked, columns - i), coefficients);
    }
  }
}

void Update(const LinearUpdateWork& work,
            const UpdateCoefficients& coefficients) {
  const int64_t part = UpdateColumns(work.images);
#pragma omp parallel
  {
    const TilesOfThread tiles;
    PackImages<false>(work.inputs, work.images, work.in,
                      reinterpret_cast<Bfloat16*>(work.packed));
    PackImages<true>(work.gradients, work.images, work.out,
                     reinterpret_cast<Bfloat16*>(work.packed_gradients));
    for (int64_t first = 0; first < work.in; first += part) {
      const int64_t columns = Least(part, work.in - first);
      // The same rows fall to the same thread every time.
#pragma omp for schedule(static) nowait
      for (int64_t row = 0; row < work.out; row += kTileSide) {
        UpdateRows(work, coefficients, row, first, columns);
      }
    }
  }
}

}  // namespace

extern const LinearTileKernels kLinearTileKernels;
const LinearTileKernels kLinearTileKernels = {
    .forward = Forward,
    .backward = Backward,
    .update = Update,
};

}  // namespace alexnet::cpu::amx
