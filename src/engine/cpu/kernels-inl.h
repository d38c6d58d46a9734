// SPDX-License-Identifier: MIT
// The kernels, written once; each kernels_<isa>.cc includes this file in a
// namespace of its own and is compiled for its instruction set, where the
// compiler turns the plain loops below into that set's vectors. Nothing here
// may call an inline function with a body elsewhere, unless it is always
// inlined: the linker could keep the copy compiled for a newer machine.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/cpu/kernels.h"
#include "engine/cpu/vector-inl.h"

namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE {
namespace {

// Work below this many elements is not worth waking the other threads for.
constexpr int64_t kParallelFrom = 1 << 14;

void Relu(float* x, int64_t n) {
#pragma omp parallel for simd schedule(static) if (n >= kParallelFrom)
  for (int64_t i = 0; i < n; ++i) x[i] = x[i] < 0 ? 0 : x[i];
}

void ReluMask(const float* y, float* dy, int64_t n) {
#pragma omp parallel for simd schedule(static) if (n >= kParallelFrom)
  for (int64_t i = 0; i < n; ++i) dy[i] = y[i] > 0 ? dy[i] : 0;
}

void AddBias(const float* bias, bool relu, float* y, int64_t rows, int64_t n) {
  const float floor = relu ? 0.0F : -INFINITY;
#pragma omp parallel for schedule(static) if (rows * n >= kParallelFrom)
  for (int64_t row = 0; row < rows; ++row) {
    float* out = y + row * n;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const float value = out[i] + bias[i];
      out[i] = value < floor ? floor : value;
    }
  }
}

void SumRows(const float* x, int64_t rows, int64_t n, float* sum) {
  std::memset(sum, 0, static_cast<size_t>(n) * sizeof(float));
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = x + row * n;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) sum[i] += from[i];
  }
}

void Add(const float* from, float* to, int64_t n) {
#pragma omp parallel for simd schedule(static) if (n >= kParallelFrom)
  for (int64_t i = 0; i < n; ++i) to[i] += from[i];
}

bool AllFinite(const float* x, int64_t n) {
  // x − x is 0 for finite x and NaN otherwise; the bits of NaN are never 0.
  uint32_t found = 0;
#pragma omp parallel for simd schedule(static) \
    reduction(|                                \
              : found) if (n >= kParallelFrom)
  for (int64_t i = 0; i < n; ++i) found |= x[i] - x[i] == 0 ? 0U : 1U;
  return found == 0;
}

// Of bfloat16: the sign is the top bit, and beyond the infinities' bits lie the
// NaNs, which a ReLU must not hide.
constexpr uint16_t kSign = 0x8000;
constexpr uint16_t kInfinity = 0x7F80;

void ReluBf16(Bfloat16* x, int64_t n) {
#pragma omp parallel for simd schedule(static) if (n >= kParallelFrom)
  for (int64_t i = 0; i < n; ++i) {
    const bool negative = x[i] >= kSign && x[i] <= (kSign | kInfinity);
    x[i] = negative ? uint16_t{0} : x[i];
  }
}

void ReluMaskBf16(const Bfloat16* y, Bfloat16* dy, int64_t n) {
#pragma omp parallel for simd schedule(static) if (n >= kParallelFrom)
  for (int64_t i = 0; i < n; ++i) {
    const bool positive = y[i] != 0 && y[i] <= kInfinity;
    dy[i] = positive ? dy[i] : uint16_t{0};
  }
}

bool AllFiniteBf16(const Bfloat16* x, int64_t n) {
  uint32_t found = 0;
#pragma omp parallel for simd schedule(static) \
    reduction(|                                \
              : found) if (n >= kParallelFrom)
  for (int64_t i = 0; i < n; ++i) {
    found |= (x[i] & kInfinity) == kInfinity ? 1U : 0U;
  }
  return found == 0;
}

float MaxAbs(const float* x, int64_t n) {
  if (!AllFinite(x, n)) return NAN;
  float largest = 0;
#pragma omp parallel for simd schedule(static) \
    reduction(max                              \
              : largest) if (n >= kParallelFrom)
  for (int64_t i = 0; i < n; ++i) {
    const float value = x[i] < 0 ? -x[i] : x[i];
    largest = value > largest ? value : largest;
  }
  return largest;
}

// Philox 4×32-10 (core/philox.h) on kCounters counters at once, so that the
// ten rounds run in vectors.
constexpr int kCounters = 16;

struct CounterBlock {
  uint32_t word[4][kCounters];
};

void PhiloxRounds(CounterBlock& block, uint64_t key) {
  auto k0 = static_cast<uint32_t>(key);
  auto k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (int i = 0; i < kCounters; ++i) {
      const uint64_t a = uint64_t{0xD2511F53} * block.word[0][i];
      const uint64_t b = uint64_t{0xCD9E8D57} * block.word[2][i];
      block.word[0][i] = static_cast<uint32_t>(b >> 32) ^ block.word[1][i] ^ k0;
      block.word[1][i] = static_cast<uint32_t>(b);
      block.word[2][i] = static_cast<uint32_t>(a >> 32) ^ block.word[3][i] ^ k1;
      block.word[3][i] = static_cast<uint32_t>(a);
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

void DropoutImage(const DropoutWork& work, int64_t image) {
  float* values = work.values + image * work.elements;
  for (int64_t first = 0; first < work.elements; first += 4 * kCounters) {
    CounterBlock block;
    for (int i = 0; i < kCounters; ++i) {
      block.word[0][i] = static_cast<uint32_t>(first / 4 + i);
      block.word[1][i] = static_cast<uint32_t>(work.layer);
      block.word[2][i] = static_cast<uint32_t>(work.sample_ids[image]);
      block.word[3][i] = static_cast<uint32_t>(work.epoch);
    }
    PhiloxRounds(block, work.seed);
    const int64_t rest = work.elements - first;
    const int64_t n = rest < 4 * kCounters ? rest : 4 * kCounters;
    for (int64_t e = 0; e < n; ++e) {
      const bool keep = block.word[e % 4][e / 4] >= work.threshold;
      values[first + e] = keep ? values[first + e] * work.scale : 0;
    }
  }
}

void Dropout(const DropoutWork& work) {
#pragma omp parallel for schedule(static)
  for (int64_t image = 0; image < work.images; ++image) {
    DropoutImage(work, image);
  }
}

// In blocks, whose sums round less than one long one.
constexpr int64_t kSumBlock = 4096;

double Dot(const float* x, const float* y, int64_t n) {
  double total = 0;
  for (int64_t first = 0; first < n; first += kSumBlock) {
    const int64_t rest = n - first;
    const int64_t count = rest < kSumBlock ? rest : kSumBlock;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = first; i < first + count; ++i) {
      sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    }
    total += sum;
  }
  return total;
}

double SumSquares(const float* x, int64_t n) { return Dot(x, x, n); }

// Four streams of this many floats stay in the L1 cache.
constexpr int64_t kUpdateBlock = 1024;

void Update(const ParameterTile& values, const float* g, int64_t n,
            const UpdateCoefficients& step) {
#pragma omp parallel for schedule(static) if (n >= kParallelFrom)
  for (int64_t i = 0; i < n; i += kUpdateBlock) {
    const int64_t rest = n - i;
    UpdateTile(At(values, i), g + i, rest < kUpdateBlock ? rest : kUpdateBlock,
               step);
  }
}

// The linear update's tile: kTileRows × kTileColumns gradients are summed in
// registers over the batch (6 × 4 of the 32 zmm registers; with 16 ymm
// registers 4 × 2 of twice the loads), then handed to the optimizer from the L1
// cache.
#if defined(__AVX512F__)
constexpr int kTileRows = 6;
constexpr int kTileVectors = 4;
#elif defined(__AVX2__)
constexpr int kTileRows = 4;
constexpr int kTileVectors = 2;
#else
constexpr int kTileRows = 2;
constexpr int kTileVectors = 4;
#endif
constexpr int kTileColumns = kLanes * kTileVectors;

int64_t LinearPackBytes(int64_t images, int64_t in) {
  const int64_t panels = (in + kTileColumns - 1) / kTileColumns;
  return panels * kTileColumns * images * static_cast<int64_t>(sizeof(float));
}

// Panel p holds columns p·kTileColumns …, image by image: the tile loop then
// reads it straight through, where rows of x would lie in · 4 bytes apart and
// fall on the same cache sets.
void PackInputs(const LinearUpdateWork& work) {
  const int64_t panels = (work.in + kTileColumns - 1) / kTileColumns;
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < panels; ++p) {
    float* to = work.packed + p * kTileColumns * work.images;
    const int64_t rest = work.in - p * kTileColumns;
    const int64_t columns = rest < kTileColumns ? rest : kTileColumns;
    for (int64_t n = 0; n < work.images; ++n, to += kTileColumns) {
      std::memcpy(to, work.inputs + n * work.in + p * kTileColumns,
                  static_cast<size_t>(columns) * sizeof(float));
      for (int64_t c = columns; c < kTileColumns; ++c) to[c] = 0;
    }
  }
}

template <int kRows>
void GradientTile(const float* panel, const float* gradients, int64_t images,
                  float* tile) {
  Vector sum[kRows][kTileVectors] = {};
  for (int64_t n = 0; n < images; ++n) {
    const auto* x = reinterpret_cast<const Vector*>(panel + n * kTileColumns);
    const float* dy = gradients + n * kRows;
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kTileVectors; ++c) sum[r][c] += dy[r] * x[c];
    }
  }
  std::memcpy(tile, sum, sizeof(sum));
}

// kRows values of an image side by side, where the images' rows lie out · 4
// bytes apart and fall on the same cache sets.
template <int kRows>
void PackGradients(const LinearUpdateWork& work, int64_t row, float* to) {
  for (int64_t n = 0; n < work.images; ++n) {
    for (int r = 0; r < kRows; ++r) {
      to[n * kRows + r] = work.gradients[n * work.out + row + r];
    }
  }
}

// The lines of n values of one row, which will be wanted next.
[[gnu::always_inline]] inline void Prefetch(const float* from, int64_t n) {
  constexpr int64_t kLine = 16;
  for (int64_t i = 0; i < n; i += kLine) __builtin_prefetch(from + i, 1);
}

template <int kRows>
void UpdateRows(const LinearUpdateWork& work, const UpdateCoefficients& step,
                int64_t row, int64_t first, int64_t last) {
  float tile[kRows * kTileColumns];
  const float* gradients = work.packed_gradients + row * work.images;
  for (int64_t column = first; column < last; column += kTileColumns) {
    const int64_t rest = work.in - column;
    const int64_t n = rest < kTileColumns ? rest : kTileColumns;
    for (int r = 0; r < kRows; ++r) {
      const ParameterTile next = At(work.weights, (row + r) * work.in + column);
      Prefetch(next.w, n);
      Prefetch(next.m, n);
      if (next.v) Prefetch(next.v, n);
    }
    GradientTile<kRows>(work.packed + column * work.images, gradients,
                        work.images, tile);
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = (row + r) * work.in + column;
      UpdateTile(At(work.weights, at), tile + r * kTileColumns, n, step);
    }
  }
}

// Columns that are gone through for all rows before the next: their inputs (32
// images · 8 KB with AVX-512) stay in the L2 cache, and the rows' values are
// read in runs.
constexpr int64_t kUpdateColumns = 32 * kTileColumns;

void LinearUpdate(const LinearUpdateWork& work,
                  const UpdateCoefficients& step) {
  PackInputs(work);
  const int64_t blocks = work.out / kTileRows;
#pragma omp parallel
  {
#pragma omp for schedule(static) nowait
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t row = block * kTileRows;
      PackGradients<kTileRows>(work, row,
                               work.packed_gradients + row * work.images);
    }
    for (int64_t first = 0; first < work.in; first += kUpdateColumns) {
      const int64_t rest = work.in - first;
      const int64_t last =
          first + (rest < kUpdateColumns ? rest : kUpdateColumns);
      // The same rows fall to the same thread every time.
#pragma omp for schedule(static) nowait
      for (int64_t block = 0; block < blocks; ++block) {
        UpdateRows<kTileRows>(work, step, block * kTileRows, first, last);
      }
    }
  }
  for (int64_t row = blocks * kTileRows; row < work.out; ++row) {
    PackGradients<1>(work, row, work.packed_gradients + row * work.images);
    UpdateRows<1>(work, step, row, 0, work.in);
  }
}

constexpr int kBits = 22;  // of Pillow's fixed-point weights

uint8_t Clip8(int32_t value) {
  value >>= kBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

void ResizeRow(const AxisTable& axis, const uint8_t* in, uint8_t* out) {
  for (int64_t x = 0; x < axis.out; ++x) {
    const uint8_t* from = in + axis.first[x];
    const int32_t* weights = axis.weights + x * axis.taps;
    int32_t sum = 1 << (kBits - 1);
    for (int32_t t = 0; t < axis.count[x]; ++t) sum += from[t] * weights[t];
    out[x] = Clip8(sum);
  }
}

// One output row from `kTaps` rows that the horizontal pass left (0: as many
// as `taps` says). Enlarging never needs more than three.
template <int kTaps>
void FinishRow(const uint8_t* rows, int64_t width, const int32_t* weights,
               int64_t taps, float mean, float std, float* out) {
  const int64_t count = kTaps == 0 ? taps : kTaps;
#pragma omp simd
  for (int64_t x = 0; x < width; ++x) {
    int32_t sum = 1 << (kBits - 1);
    for (int64_t t = 0; t < count; ++t) {
      sum += rows[t * width + x] * weights[t];
    }
    sum >>= kBits;
    sum = sum < 0 ? 0 : sum > 255 ? 255 : sum;
    out[x] = (static_cast<float>(sum) / 255.0F - mean) / std;
  }
}

using FinishRowFunction = void (*)(const uint8_t*, int64_t, const int32_t*,
                                   int64_t, float, float, float*);

FinishRowFunction FinishRowFor(int64_t taps) {
  switch (taps) {
    case 1:
      return FinishRow<1>;
    case 2:
      return FinishRow<2>;
    case 3:
      return FinishRow<3>;
    default:
      return FinishRow<0>;
  }
}

// A weight of one, for a pass that is skipped.
constexpr int32_t kUnit = 1 << kBits;

void MakePlane(const InputWork& work, const uint8_t* plane, float mean,
               float std, uint8_t* scratch, float* out) {
  const AxisTable& across = work.across;
  const AxisTable& down = work.down;
  const int64_t width = across.out;
  const uint8_t* rows = plane;
  if (across.in != across.out) {
    for (int64_t y = 0; y < down.in; ++y) {
      ResizeRow(across, plane + y * across.in, scratch + y * width);
    }
    rows = scratch;
  }
  const bool same = down.in == down.out;
  for (int64_t y = 0; y < down.out; ++y) {
    const int64_t first = same ? y : down.first[y];
    const int64_t count = same ? 1 : down.count[y];
    const int32_t* weights = same ? &kUnit : down.weights + y * down.taps;
    FinishRowFor(count)(rows + first * width, width, weights, count, mean, std,
                        out + y * width);
  }
}

void MakeInput(const InputWork& work) {
  const int64_t in_plane = work.across.in * work.down.in;
  const int64_t out_plane = work.across.out * work.down.out;
  const int64_t scratch = work.down.in * work.across.out;
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < work.images * work.channels; ++p) {
    const int64_t image = p / work.channels;
    const int64_t channel = p % work.channels;
    MakePlane(work, work.pixels[image] + channel * in_plane, work.mean[channel],
              work.std[channel], work.scratch + p * scratch,
              work.out + p * out_plane);
  }
}

// Enough independent sums to fill two multiply-add pipes of latency four, few
// enough for the registers.
int64_t MultiplyAddLoop(int64_t rounds) {
  constexpr int kSums = 12;
  // Values that the compiler cannot know, or it would do the sums itself.
  volatile float one = 1.0F;
  Vector sums[kSums];
  for (auto& sum : sums) sum = Vector{} + one;
  const Vector factor = Vector{} + 0.999F * one;
  const Vector term = Vector{} + 0.001F * one;
  for (int64_t i = 0; i < rounds; ++i) {
    for (auto& sum : sums) sum = sum * factor + term;
  }
  Vector total{};
  for (const auto& sum : sums) total += sum;
  // Looked at, so that the loop is not removed.
  asm volatile("" : : "m"(total));
  return rounds * kSums * kLanes * 2;
}

}  // namespace
}  // namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE

#include "engine/cpu/linear_forward-inl.h"
#include "engine/cpu/max_pool-inl.h"

namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE {

extern const Kernels kKernels;
const Kernels kKernels = {
    .relu = Relu,
    .relu_mask = ReluMask,
    .sum_rows = SumRows,
    .add = Add,
    .all_finite = AllFinite,
    .relu_bf16 = ReluBf16,
    .relu_mask_bf16 = ReluMaskBf16,
    .all_finite_bf16 = AllFiniteBf16,
    .max_abs = MaxAbs,
    .dropout = Dropout,
    .sum_squares = SumSquares,
    .dot = Dot,
    .update = Update,
    .linear_forward = LinearForward,
#if defined(__AVX512BF16__)
    .linear_forward_bf16 = LinearForwardBf16,
#else
    .linear_forward_bf16 = nullptr,
#endif
    .linear_pack_bytes = LinearPackBytes,
    .linear_update = LinearUpdate,
    .max_pool = MaxPool,
    .max_pool_gradient = MaxPoolGradient,
    .make_input = MakeInput,
    .multiply_add_loop = MultiplyAddLoop,
};

}  // namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE
