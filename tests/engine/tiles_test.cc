// SPDX-License-Identifier: MIT
// AMX's products against plain loops in double over the same rounded values:
// the products are exact, so that sums keep the budget of float32. Skipped
// where the processor has no AMX.
#include "engine/cpu/tiles.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <ostream>
#include <string>
#include <vector>

#include "engine/aligned.h"
#include "engine/cpu/conv_pass.h"
#include "engine/cpu/kernel_plan.h"
#include "engine/relative_error.h"
#include "engine/tile_buffers.h"

namespace alexnet::cpu {
namespace {

using testing_support::ExpectGuard;
using testing_support::Floats;
using testing_support::FloatScratch;
using testing_support::Halves;
using testing_support::HasTiles;
using testing_support::Index;
using testing_support::kSumTolerance;
using testing_support::Random;
using testing_support::RelativeError;
using testing_support::Round;
using testing_support::Scratch;
using testing_support::Widen;
using testing_support::Written;

// Maps are rounded to bfloat16 at the end.
constexpr double kMapTolerance = 0x1p-8;  // half of the last place of 1

struct TileCase {
  const char* name;
  int64_t images;
  Shape3 map;
  int64_t outputs;
  Size2 kernel;
  Padding padding;
  Shape3 output() const {
    const auto& [top, left, bottom, right] = padding;
    return {outputs, map.height + top + bottom + 1 - kernel.height,
            map.width + left + right + 1 - kernel.width};
  }
};

void PrintTo(const TileCase& c, std::ostream* out) { *out << c.name; }

// Pairs of blocks and single ones, of inputs, outputs, tiles and images;
// channels that fill no block; rows of the kernel that end within a step;
// images shared out between two threads in one part, in uneven ones and pair by
// pair.
const TileCase kCases[] = {
    {"one_place", 1, {16, 1, 1}, 16, {1, 1}, {}},
    {"ragged_channels", 3, {20, 9, 9}, 48, {3, 3}, {1, 1, 1, 1}},
    {"three_channels", 2, {3, 12, 10}, 32, {5, 5}, {2, 2, 2, 2}},
    {"single_blocks", 5, {16, 11, 13}, 16, {3, 3}, {}},
    {"even_blocks", 4, {64, 7, 7}, 64, {3, 3}, {1, 1, 1, 1}},
    {"odd_kernel", 2, {48, 6, 9}, 32, {2, 3}, {1, 2, 1, 2}},
    {"asymmetric_padding", 3, {32, 6, 7}, 16, {3, 4}, {0, 1, 2, 5}},
    {"many_images", 9, {16, 3, 3}, 80, {3, 3}, {1, 1, 1, 1}},
    {"uneven_parts", 4, {16, 3, 3}, 80, {3, 3}, {1, 1, 1, 1}},
    {"wide_kernel", 2, {32, 13, 5}, 80, {5, 5}, {2, 2, 2, 2}},
};

class Tiles : public testing::TestWithParam<TileCase> {
 protected:
  void SetUp() override {
    if (!HasTiles()) GTEST_SKIP() << "this processor has no AMX";
    omp_set_num_threads(2);
    x_ = Round(Random(Index(c_.images * c_.map.elements()), 1));
    dy_ = Round(Random(Index(c_.images * c_.output().elements()), 2));
    bias_ = Random(Index(c_.outputs), 3);
    const Floats values = Widen(
        Round(Random(Index(c_.outputs * c_.map.channels * shape_.taps()), 4)));
    weights_.assign(Index(WeightElements()), 0);
    size_t next = 0;
    ForEachWeight([&](int64_t k, int64_t c, int64_t r, int64_t s) {
      weights_[WeightAt(k, c, r, s)] = values[next++];
    });
  }

  void TearDown() override { omp_set_num_threads(threads_); }

  int64_t WeightElements() const {
    return shape_.output_blocks() * shape_.blocks() * shape_.taps() * kTileSums;
  }
  size_t WeightAt(int64_t k, int64_t c, int64_t r, int64_t s) const {
    const int64_t block = (k / 16 * shape_.blocks() + c / 16) * shape_.taps() +
                          r * c_.kernel.width + s;
    return Index(block * kTileSums + k % 16 * 16 + c % 16);
  }
  template <class Visit>
  void ForEachWeight(const Visit& visit) const {
    for (int64_t k = 0; k < c_.outputs; ++k) {
      for (int64_t c = 0; c < c_.map.channels; ++c) {
        for (int64_t r = 0; r < c_.kernel.height; ++r) {
          for (int64_t s = 0; s < c_.kernel.width; ++s) visit(k, c, r, s);
        }
      }
    }
  }

  // Calls visit(index in x, index in y, k, c, r, s) for each product.
  template <class Visit>
  void ForEachProduct(const Visit& visit) const {
    const Shape3 out = c_.output();
    ForEachWeight([&](int64_t k, int64_t c, int64_t r, int64_t s) {
      for (int64_t n = 0; n < c_.images; ++n) {
        for (int64_t p = 0; p < out.height; ++p) {
          for (int64_t q = 0; q < out.width; ++q) {
            const int64_t y = p + r - c_.padding.top;
            const int64_t x = q + s - c_.padding.left;
            if (y < 0 || y >= c_.map.height || x < 0 || x >= c_.map.width) {
              continue;
            }
            visit(Index(((n * c_.map.height + y) * c_.map.width + x) *
                            c_.map.channels +
                        c),
                  Index(((n * out.height + p) * out.width + q) * out.channels +
                        k),
                  WeightAt(k, c, r, s));
          }
        }
      }
    });
  }

  static Halves Maps(const CorrelationShape& shape) {
    return Scratch(omp_get_max_threads() * shape.map_elements());
  }

  using Pack = decltype(TileKernels::pack_weights);
  Halves Correlate(const CorrelationShape& shape, Pack pack, const Halves& map,
                   const float* bias, bool relu, int64_t outputs) const {
    Halves packed = Scratch(shape.weight_elements());
    Halves scratch = Maps(shape);
    Halves output = Scratch(outputs);
    pack(shape, weights_.data(), packed.data());
    kernels_->correlate({.shape = shape,
                         .map = map.data(),
                         .weights = packed.data(),
                         .bias = bias,
                         .relu = relu,
                         .images = c_.images,
                         .scratch = scratch.data(),
                         .output = output.data()});
    ExpectGuard(packed);
    ExpectGuard(scratch);
    return Written(output);
  }
  Halves Forward(bool relu) const {
    return Correlate(shape_, kernels_->pack_weights, x_, bias_.data(), relu,
                     std::ssize(dy_));
  }

  int threads_ = omp_get_max_threads();
  TileCase c_ = GetParam();
  CorrelationShape shape_ = {c_.map, c_.output(), c_.kernel, c_.padding.top,
                             c_.padding.left};
  const TileKernels* kernels_ = TileKernelsFor(Isa::kAmx);
  Halves x_, dy_;
  Floats weights_, bias_;
};

TEST_P(Tiles, Forward) {
  for (const bool relu : {false, true}) {
    std::vector<double> expected(dy_.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      expected[i] = bias_[i % bias_.size()];
    }
    ForEachProduct([&](size_t from, size_t to, size_t weight) {
      expected[to] += double{FromBfloat16(x_[from])} * weights_[weight];
    });
    if (relu) {
      for (double& value : expected) value = std::max(value, 0.0);
    }
    EXPECT_LE(RelativeError(Widen(Forward(relu)), expected), kMapTolerance);
  }
}

TEST_P(Tiles, ANanIsNotRectified) {
  bias_[0] = NAN;
  const Floats y = Widen(Forward(/*relu=*/true));
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_EQ(std::isnan(y[i]), i % bias_.size() == 0);
  }
}

// The others' gradient to the data is not by tiles (TilesFitting).
std::vector<TileCase> CasesOfWholeBlocks() {
  std::vector<TileCase> cases;
  for (const TileCase& c : kCases) {
    if (c.map.channels % kTileSide == 0) cases.push_back(c);
  }
  return cases;
}

class TilesDataGradient : public Tiles {};

TEST_P(TilesDataGradient, AgreesWithPlainLoops) {
  const CorrelationShape turned = {c_.output(), c_.map, c_.kernel,
                                   c_.kernel.height - 1 - c_.padding.top,
                                   c_.kernel.width - 1 - c_.padding.left};
  std::vector<double> expected(x_.size());
  ForEachProduct([&](size_t to, size_t from, size_t weight) {
    expected[to] += double{FromBfloat16(dy_[from])} * weights_[weight];
  });
  const Halves dx = Correlate(turned, kernels_->pack_turned_weights, dy_,
                              nullptr, /*relu=*/false, std::ssize(x_));
  EXPECT_LE(RelativeError(Widen(dx), expected), kMapTolerance);
}

TEST_P(Tiles, WeightGradient) {
  std::vector<double> expected(weights_.size());
  ForEachProduct([&](size_t x, size_t y, size_t weight) {
    expected[weight] +=
        double{FromBfloat16(x_[x])} * double{FromBfloat16(dy_[y])};
  });
  std::vector<double> expected_bias(bias_.size());
  for (size_t i = 0; i < dy_.size(); ++i) {
    expected_bias[i % bias_.size()] += FromBfloat16(dy_[i]);
  }
  Floats first;
  for (const int64_t at_once : {2, 4, 6}) {
    Halves map = Scratch(at_once * shape_.map_elements());
    Halves gradient = Scratch(at_once * shape_.packed_gradient_elements());
    Floats sum = FloatScratch(weights_.size());
    Floats bias = FloatScratch(bias_.size());
    kernels_->weight_gradient({.shape = shape_,
                               .map = x_.data(),
                               .gradient = dy_.data(),
                               .images = c_.images,
                               .images_at_once = at_once,
                               .packed_map = map.data(),
                               .packed_gradient = gradient.data(),
                               .sum = sum.data(),
                               .bias = bias.data()});
    EXPECT_LE(RelativeError(Written(sum), expected), kSumTolerance);
    EXPECT_LE(RelativeError(Written(bias), expected_bias), kSumTolerance);
    if (first.empty()) first = sum;
    EXPECT_TRUE(std::ranges::equal(sum, first));
    ExpectGuard(map);
    ExpectGuard(gradient);
  }
}

INSTANTIATE_TEST_SUITE_P(, Tiles, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(, TilesDataGradient,
                         testing::ValuesIn(CasesOfWholeBlocks()),
                         [](const auto& info) { return info.param.name; });

Conv2dSpec Conv(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1) {
  return {.in_channels = in,
          .out_channels = out,
          .kernel = {kernel, kernel},
          .stride = {stride, stride}};
}

std::string Chosen(const Conv2dSpec& spec, Isa isa, Precision precision) {
  using enum ConvAlgorithm;
  return Text(Fitting({kTiles, kTiles, kTiles}, {kWinograd, kWinograd, kDirect},
                      spec, isa, precision));
}

TEST(TilesFitting, WhatTilesCannotDoGoesTheUsualWay) {
  constexpr Precision kBf16 = Precision::kBfloat16;
  const Conv2dSpec conv = Conv(32, 48, 3);
  EXPECT_EQ(Chosen(conv, Isa::kAmx, kBf16), "tiles tiles tiles");
  EXPECT_EQ(Chosen(conv, Isa::kAmx, Precision::kFloat32),
            "winograd winograd direct");
  EXPECT_EQ(Chosen(conv, Isa::kAvx512Bf16, kBf16), "winograd winograd direct");
  EXPECT_EQ(Chosen(Conv(3, 96, 11, 4), Isa::kAmx, kBf16), "tiles direct tiles");
  EXPECT_EQ(Chosen(Conv(3, 64, 5), Isa::kAmx, kBf16), "tiles direct tiles");
  EXPECT_EQ(Chosen(Conv(32, 40, 3), Isa::kAmx, kBf16), "direct direct direct");
  EXPECT_EQ(Chosen(Conv(3, 96, 11, 3), Isa::kAmx, kBf16),
            "direct direct direct");
  Conv2dSpec other = conv;
  other.groups = 2;
  EXPECT_EQ(Chosen(other, Isa::kAmx, kBf16), "direct direct direct");
  other = conv;
  other.stride = {1, 2};
  EXPECT_EQ(Chosen(other, Isa::kAmx, kBf16), "direct direct direct");
}

}  // namespace
}  // namespace alexnet::cpu
