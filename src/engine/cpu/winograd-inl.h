// SPDX-License-Identifier: MIT
// The Winograd kernels, written once and compiled per instruction set; see
// kernels-inl.h for the rules. Here are the transforms.
#include <cstdint>

#include "engine/cpu/winograd.h"
#include "engine/cpu/winograd_product-inl.h"

namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE {
namespace {

template <int kHeight, int kWidth>
struct Matrix {
  float at[kHeight][kWidth] = {};
};

template <int kHeight, int kWidth>
constexpr Matrix<kWidth, kHeight> Transpose(
    const Matrix<kHeight, kWidth>& matrix) {
  Matrix<kWidth, kHeight> result;
  for (int i = 0; i < kHeight; ++i) {
    for (int j = 0; j < kWidth; ++j) result.at[j][i] = matrix.at[i][j];
  }
  return result;
}

// Toom–Cook's matrices for m outputs, r taps and the m + r − 2 points given;
// the last point is infinity. With N_j = Π_{l≠j} (a_j − a_l):
//   Aᵀ[i][j] = a_j^i,  G[j][i] = a_j^i / N_j,
//   row j of Bᵀ = the coefficients of Π_{l≠j} (x − a_l),
// and for infinity Aᵀ[m−1] = G[r−1] = 1, Bᵀ's row = those of Π_l (x − a_l).
template <int m, int r>
struct ToomCook {
  static constexpr int kAlpha = m + r - 1;
  Matrix<m, kAlpha> at;
  Matrix<kAlpha, r> g;
  Matrix<kAlpha, kAlpha> bt;

  constexpr explicit ToomCook(const double (&points)[kAlpha - 1]) {
    constexpr int kInfinity = kAlpha - 1;
    for (int j = 0; j < kInfinity; ++j) {
      double scale = 1;
      for (int l = 0; l < kInfinity; ++l) {
        if (l != j) scale *= points[j] - points[l];
      }
      double power = 1;
      for (int i = 0; i < (m > r ? m : r); ++i) {
        if (i < m) at.at[i][j] = static_cast<float>(power);
        if (i < r) g.at[j][i] = static_cast<float>(power / scale);
        power *= points[j];
      }
      SetPolynomial(points, j);
    }
    at.at[m - 1][kInfinity] = 1;
    g.at[kInfinity][r - 1] = 1;
    SetPolynomial(points, kInfinity);
  }

  // Row `j` of Bᵀ: the product over all points but the j-th.
  constexpr void SetPolynomial(const double (&points)[kAlpha - 1], int j) {
    double coefficients[kAlpha] = {1};
    int degree = 0;
    for (int l = 0; l < kAlpha - 1; ++l) {
      if (l == j) continue;
      ++degree;
      for (int i = degree; i >= 0; --i) {
        coefficients[i] = (i > 0 ? coefficients[i - 1] : 0) -
                          points[l] * (i < degree ? coefficients[i] : 0);
      }
    }
    for (int i = 0; i < kAlpha; ++i) {
      bt.at[j][i] = static_cast<float>(coefficients[i]);
    }
  }
};

// Small points keep the powers, and so the rounding, small.
constexpr double kPoints5[] = {0, 1, -1, 2, -2, 0.5, -0.5};
constexpr double kPoints3[] = {0, 1, -1, 2, -2, 0.5};

struct F4x5 {
  static constexpr int m = 4, r = 5, alpha = 8;
  static constexpr ToomCook<4, 5> kMatrices{kPoints5};
};
struct F5x3 {
  static constexpr int m = 5, r = 3, alpha = 7;
  static constexpr ToomCook<5, 3> kMatrices{kPoints3};
};

// out = M·in, unrolled so that the matrix's zeros cost nothing.
template <const auto& kMatrix, int kHeight, int kWidth>
[[gnu::always_inline]] inline void Apply(const Vector* in, int64_t in_stride,
                                         Vector* out, int64_t out_stride) {
#pragma GCC unroll 8
  for (int i = 0; i < kHeight; ++i) {
    Vector sum = {};
#pragma GCC unroll 8
    for (int j = 0; j < kWidth; ++j) {
      if (kMatrix.at[i][j] != 0) sum += kMatrix.at[i][j] * in[j * in_stride];
    }
    out[i * out_stride] = sum;
  }
}

// out = M·in·Mᵀ, from kWidth × kWidth to kHeight × kHeight.
template <const auto& kMatrix, int kHeight, int kWidth>
[[gnu::always_inline]] inline void ApplyBothSides(const Vector* in,
                                                  Vector* out) {
  Vector half[kHeight * kWidth];
  for (int j = 0; j < kWidth; ++j) {
    Apply<kMatrix, kHeight, kWidth>(in + j, kWidth, half + j, kWidth);
  }
  for (int i = 0; i < kHeight; ++i) {
    Apply<kMatrix, kHeight, kWidth>(half + i * kWidth, 1, out + i * kHeight, 1);
  }
}

template <class F>
struct Matrices {
  static constexpr auto kBt = F::kMatrices.bt;
  static constexpr auto kAt = F::kMatrices.at;
  static constexpr auto kG = F::kMatrices.g;
  static constexpr auto kA = Transpose(F::kMatrices.at);
  static constexpr auto kGt = Transpose(F::kMatrices.g);
};

// Where a tile lies.
struct Place {
  int64_t image, row, column;
};

Place PlaceOf(const TileGrid& grid, int64_t tile) {
  const int64_t per_image = grid.rows * grid.columns;
  const int64_t within = tile % per_image;
  return {grid.first_image + tile / per_image, within / grid.columns,
          within % grid.columns};
}

// T is float or Bfloat16.
template <class T>
T* Plane(const BlockedMap& map, int64_t image, int64_t block) {
  return static_cast<T*>(map.data) + (image * (map.channels / kLanes) + block) *
                                         map.height * map.width * kLanes;
}

// kSize × kSize vectors from (top, left) on, zeros outside the map.
template <int kSize, class T>
void LoadTile(const BlockedMap& map, const T* plane, int64_t top, int64_t left,
              Vector* tile) {
  for (int i = 0; i < kSize; ++i) {
    const int64_t y = top + i;
    for (int j = 0; j < kSize; ++j) {
      const int64_t x = left + j;
      const bool inside = y >= 0 && y < map.height && x >= 0 && x < map.width;
      tile[i * kSize + j] =
          inside ? Load(plane + (y * map.width + x) * kLanes) : Vector{};
    }
  }
}

// Tiles [ξ][blocks][tiles][lanes]: the vectors of all ξ of one tile.
template <int kCount>
void StorePlanes(const Vector* values, int64_t stride, float* to) {
  for (int xi = 0; xi < kCount; ++xi) {
    *reinterpret_cast<Vector*>(to + xi * stride) = values[xi];
  }
}

template <int kCount>
void LoadPlanes(const float* from, int64_t stride, Vector* values) {
  for (int xi = 0; xi < kCount; ++xi) {
    values[xi] = *reinterpret_cast<const Vector*>(from + xi * stride);
  }
}

template <class F, class T>
void TransformInputOf(const BlockedMap& map, int64_t padding,
                      const TileGrid& grid, float* to) {
  const int64_t blocks = map.channels / kLanes;
  const int64_t tiles = grid.count();
  const int64_t stride = blocks * tiles * kLanes;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t t = 0; t < tiles; ++t) {
      const Place place = PlaceOf(grid, t);
      Vector in[F::alpha * F::alpha];
      Vector out[F::alpha * F::alpha];
      LoadTile<F::alpha>(map, Plane<const T>(map, place.image, block),
                         place.row * F::m - padding,
                         place.column * F::m - padding, in);
      ApplyBothSides<Matrices<F>::kBt, F::alpha, F::alpha>(in, out);
      StorePlanes<F::alpha * F::alpha>(out, stride,
                                       to + (block * tiles + t) * kLanes);
    }
  }
}

template <class F>
void TransformInput(const BlockedMap& map, int64_t padding,
                    const TileGrid& grid, float* to) {
  map.bfloat16 ? TransformInputOf<F, Bfloat16>(map, padding, grid, to)
               : TransformInputOf<F, float>(map, padding, grid, to);
}

template <class F, class T>
void TransformGradientOf(const BlockedMap& map, const TileGrid& grid,
                         float* to) {
  const int64_t blocks = map.channels / kLanes;
  const int64_t tiles = grid.count();
  const int64_t stride = blocks * tiles * kLanes;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t t = 0; t < tiles; ++t) {
      const Place place = PlaceOf(grid, t);
      Vector in[F::m * F::m];
      Vector out[F::alpha * F::alpha];
      LoadTile<F::m>(map, Plane<const T>(map, place.image, block),
                     place.row * F::m, place.column * F::m, in);
      ApplyBothSides<Matrices<F>::kA, F::alpha, F::m>(in, out);
      StorePlanes<F::alpha * F::alpha>(out, stride,
                                       to + (block * tiles + t) * kLanes);
    }
  }
}

template <class F>
void TransformGradient(const BlockedMap& map, const TileGrid& grid, float* to) {
  map.bfloat16 ? TransformGradientOf<F, Bfloat16>(map, grid, to)
               : TransformGradientOf<F, float>(map, grid, to);
}

template <class F, class T>
void StoreTile(const BlockedMap& map, T* plane, const Place& place,
               const Vector* tile, const Vector& bias, bool relu) {
  for (int i = 0; i < F::m; ++i) {
    const int64_t y = place.row * F::m + i;
    if (y >= map.height) break;
    for (int j = 0; j < F::m; ++j) {
      const int64_t x = place.column * F::m + j;
      if (x >= map.width) break;
      Vector value = tile[i * F::m + j] + bias;
      // Not (value > 0), which would turn a NaN into a zero and hide it.
      if (relu) value = value < 0 ? Vector{} : value;
      Store(value, plane + (y * map.width + x) * kLanes);
    }
  }
}

template <class F, class T>
void TransformOutputOf(const float* from, const float* bias, bool relu,
                       const TileGrid& grid, const BlockedMap& map) {
  const int64_t blocks = map.channels / kLanes;
  const int64_t tiles = grid.count();
  const int64_t stride = blocks * tiles * kLanes;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t t = 0; t < tiles; ++t) {
      const Place place = PlaceOf(grid, t);
      Vector in[F::alpha * F::alpha];
      Vector out[F::m * F::m];
      LoadPlanes<F::alpha * F::alpha>(from + (block * tiles + t) * kLanes,
                                      stride, in);
      ApplyBothSides<Matrices<F>::kAt, F::m, F::alpha>(in, out);
      const Vector added =
          bias ? *reinterpret_cast<const Vector*>(bias + block * kLanes)
               : Vector{};
      StoreTile<F>(map, Plane<T>(map, place.image, block), place, out, added,
                   relu);
    }
  }
}

template <class F>
void TransformOutput(const float* from, const float* bias, bool relu,
                     const TileGrid& grid, const BlockedMap& map) {
  map.bfloat16 ? TransformOutputOf<F, Bfloat16>(from, bias, relu, grid, map)
               : TransformOutputOf<F, float>(from, bias, relu, grid, map);
}

template <class F>
void TransformWeights(const float* weights, int64_t outputs, int64_t inputs,
                      int64_t output_stride, int64_t input_stride, bool flip,
                      float* to) {
  constexpr int kTaps = F::r * F::r;
  const int64_t blocks = outputs / kLanes;
  const int64_t stride = outputs * inputs;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t i = 0; i < inputs; ++i) {
      const float* from = weights + block * output_stride +
                          i / kLanes * input_stride + i % kLanes * kLanes;
      Vector taps[kTaps];
      Vector out[F::alpha * F::alpha];
      for (int tap = 0; tap < kTaps; ++tap) {
        const int at = flip ? kTaps - 1 - tap : tap;
        taps[tap] =
            *reinterpret_cast<const Vector*>(from + at * kLanes * kLanes);
      }
      ApplyBothSides<Matrices<F>::kG, F::alpha, F::r>(taps, out);
      StorePlanes<F::alpha * F::alpha>(out, stride,
                                       to + (block * inputs + i) * kLanes);
    }
  }
}

template <class F>
void TransformWeightGradient(const float* from, int64_t outputs, int64_t inputs,
                             int64_t output_stride, int64_t input_stride,
                             float* weights) {
  constexpr int kTaps = F::r * F::r;
  const int64_t blocks = outputs / kLanes;
  const int64_t stride = outputs * inputs;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t i = 0; i < inputs; ++i) {
      Vector in[F::alpha * F::alpha];
      Vector taps[kTaps];
      LoadPlanes<F::alpha * F::alpha>(from + (block * inputs + i) * kLanes,
                                      stride, in);
      ApplyBothSides<Matrices<F>::kGt, F::r, F::alpha>(in, taps);
      float* to = weights + block * output_stride + i / kLanes * input_stride +
                  i % kLanes * kLanes;
      StorePlanes<kTaps>(taps, kLanes * kLanes, to);
    }
  }
}

template <class T>
void SumChannelsOf(const BlockedMap& map, int64_t images, float* sum) {
  const int64_t blocks = map.channels / kLanes;
  const int64_t places = map.height * map.width;
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    // Several sums at once, or each addition would wait for the one before.
    constexpr int kSums = 4;
    Vector sums[kSums] = {};
    for (int64_t image = 0; image < images; ++image) {
      const T* plane = Plane<const T>(map, image, block);
      for (int64_t i = 0; i < places; ++i) {
        sums[i % kSums] += Load(plane + i * kLanes);
      }
    }
    Vector total = {};
    for (const Vector& part : sums) total += part;
    *reinterpret_cast<Vector*>(sum + block * kLanes) = total;
  }
}

void SumChannels(const BlockedMap& map, int64_t images, float* sum) {
  map.bfloat16 ? SumChannelsOf<Bfloat16>(map, images, sum)
               : SumChannelsOf<float>(map, images, sum);
}

template <class F>
constexpr WinogradKernels Table() {
  return {.tile = {.m = F::m, .r = F::r},
          .lanes = kLanes,
          .transform_input = TransformInput<F>,
          .transform_output = TransformOutput<F>,
          .transform_gradient = TransformGradient<F>,
          .transform_weights = TransformWeights<F>,
          .transform_weight_gradient = TransformWeightGradient<F>,
          .sum_channels = SumChannels,
          .multiply = Multiply,
          .multiply_transposed = MultiplyTransposed};
}

}  // namespace

extern const WinogradKernels kTable4x5;
extern const WinogradKernels kTable5x3;
const WinogradKernels kTable4x5 = Table<F4x5>();
const WinogradKernels kTable5x3 = Table<F5x3>();

}  // namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE
