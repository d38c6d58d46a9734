// SPDX-License-Identifier: MIT
// bfloat16: the number itself, kernels that store maps in it against the same
// kernels on float32 maps of the same values (bit by bit), and products of
// rounded values against sums in double.
#include "core/bfloat16.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/error.h"
#include "engine/aligned.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/winograd.h"
#include "engine/relative_error.h"

namespace alexnet::cpu {
namespace {

using testing_support::AlignedAllocator;
using testing_support::Floats;
using testing_support::Halves;
using testing_support::Random;
using testing_support::Round;
using testing_support::Widen;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Bfloat16Test, RoundsToTheNearestTiesToEven) {
  EXPECT_EQ(ToBfloat16(1.0F), 0x3F80);
  EXPECT_EQ(ToBfloat16(-0.0F), 0x8000);
  EXPECT_EQ(ToBfloat16(kInfinity), 0x7F80);
  // 1 + 2⁻⁸ lies between 1 and 1 + 2⁻⁷, 1 + 3·2⁻⁸ above an odd one.
  EXPECT_EQ(ToBfloat16(1.0F + 0x1p-8F), 0x3F80);
  EXPECT_EQ(ToBfloat16(1.0F + 3 * 0x1p-8F), 0x3F82);
  EXPECT_EQ(ToBfloat16(std::nextafter(1.0F + 0x1p-8F, 2.0F)), 0x3F81);
  // Beyond the largest lies infinity.
  EXPECT_EQ(ToBfloat16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_TRUE(std::isnan(FromBfloat16(ToBfloat16(NAN))));
  EXPECT_TRUE(std::isnan(FromBfloat16(ToBfloat16(-NAN))));
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto value = static_cast<Bfloat16>(bits);
    if (std::isnan(FromBfloat16(value))) continue;
    EXPECT_EQ(ToBfloat16(FromBfloat16(value)), value);
  }
}

class Bfloat16Kernels : public testing::TestWithParam<Isa> {
 protected:
  const Kernels& kernels_ = KernelsFor(GetParam());
};

TEST_P(Bfloat16Kernels, ReluAndItsMask) {
  for (const size_t n : {1, 31, 257, 20011}) {
    Halves x = Round(Random(n, 1));
    x[n / 2] = 0x8000;  // −0
    const Halves gradient = Round(Random(n, 2));
    Halves y = x;
    Halves dy = gradient;
    kernels_.relu_bf16(y.data(), static_cast<int64_t>(n));
    kernels_.relu_mask_bf16(y.data(), dy.data(), static_cast<int64_t>(n));
    for (size_t i = 0; i < n; ++i) {
      const bool passes = FromBfloat16(x[i]) > 0;
      EXPECT_EQ(FromBfloat16(y[i]), passes ? FromBfloat16(x[i]) : 0);
      EXPECT_EQ(dy[i], passes ? gradient[i] : 0);
    }
  }
}

TEST_P(Bfloat16Kernels, ReluHidesNoNan) {
  Halves x = {ToBfloat16(NAN), 0xFFC0, ToBfloat16(-kInfinity)};
  kernels_.relu_bf16(x.data(), 3);
  EXPECT_TRUE(std::isnan(FromBfloat16(x[0])));
  EXPECT_TRUE(std::isnan(FromBfloat16(x[1])));
  EXPECT_EQ(x[2], 0);
}

TEST_P(Bfloat16Kernels, AllFinite) {
  for (const size_t n : {1, 33, 20011}) {
    const Halves x = Round(Random(n, 3));
    EXPECT_TRUE(kernels_.all_finite_bf16(x.data(), static_cast<int64_t>(n)));
    for (const float bad : {NAN, kInfinity, -kInfinity}) {
      for (const size_t at : {size_t{0}, n / 2, n - 1}) {
        Halves broken = x;
        broken[at] = ToBfloat16(bad);
        EXPECT_FALSE(
            kernels_.all_finite_bf16(broken.data(), static_cast<int64_t>(n)));
      }
    }
  }
}

std::vector<double> LinearOfRounded(const Floats& x, const Floats& w,
                                    const Floats& bias, size_t in, bool relu) {
  std::vector<double> y;
  for (size_t n = 0; n < x.size() / in; ++n) {
    for (size_t k = 0; k < bias.size(); ++k) {
      double sum = bias[k];
      for (size_t c = 0; c < in; ++c) {
        sum += double{FromBfloat16(ToBfloat16(x[n * in + c]))} *
               FromBfloat16(ToBfloat16(w[k * in + c]));
      }
      y.push_back(relu ? std::max(sum, 0.0) : sum);
    }
  }
  return y;
}

// Sums of exact products: the budget of float32.
TEST_P(Bfloat16Kernels, LinearForward) {
  if (GetParam() < Isa::kAvx512Bf16) {
    EXPECT_EQ(kernels_.linear_forward_bf16, nullptr);
    return;
  }
  for (const auto& [images, in, out] :
       std::vector<std::array<size_t, 3>>{{1, 1, 1},
                                          {1, 400, 120},
                                          {5, 17, 7},
                                          {13, 100, 33},
                                          {2, 9216, 6},
                                          {32, 6179, 10},
                                          {13, 9216 + 33, 7}}) {
    const Floats x = Random(images * in, 21);
    const Floats w = Random(out * in, 22);
    const Floats bias = Random(out, 23);
    const Halves rounded = Round(w);
    for (const bool relu : {false, true}) {
      const std::vector<double> expected =
          LinearOfRounded(x, w, bias, in, relu);
      for (const bool from_float32 : {false, true}) {
        Floats y(images * out, NAN);
        std::vector<std::byte> scratch(static_cast<size_t>(LinearScratchBytes(
            static_cast<int64_t>(images), static_cast<int64_t>(in))));
        kernels_.linear_forward_bf16(
            {.outputs = y.data(),
             .inputs = x.data(),
             .packed_inputs = scratch.data(),
             .weights = from_float32 ? w.data() : nullptr,
             .weights_bf16 = from_float32 ? nullptr : rounded.data(),
             .bias = bias.data(),
             .images = static_cast<int64_t>(images),
             .in = static_cast<int64_t>(in),
             .out = static_cast<int64_t>(out),
             .relu = relu});
        EXPECT_LE(testing_support::RelativeError(
                      y, std::span<const double>(expected)),
                  1e-6)
            << images << " × " << in << " × " << out;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, Bfloat16Kernels, testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(Name(info.param));
                         });

// Two images of two blocks of channels, with tiles that overhang.
class Bfloat16Maps : public testing::TestWithParam<std::tuple<Isa, int64_t>> {
 protected:
  Bfloat16Maps() {
    const auto& [isa, r] = GetParam();
    kernels_ = WinogradKernelsFor(isa, r);
    channels_ = 2 * kernels_->lanes;
    const int64_t m = kernels_->tile.m;
    grid_ = {.first_image = 0,
             .images = 2,
             .rows = (kHeight + m - 1) / m,
             .columns = (kWidth + m - 1) / m};
  }

  size_t map_elements() const {
    return static_cast<size_t>(2 * channels_ * kHeight * kWidth);
  }
  size_t tile_elements() const {
    return static_cast<size_t>(kernels_->tile.planes() * grid_.count() *
                               channels_);
  }
  template <class T>
  BlockedMap Map(std::vector<T, AlignedAllocator<T>>& values) const {
    return {.data = values.data(),
            .bfloat16 = std::is_same_v<T, Bfloat16>,
            .channels = channels_,
            .height = kHeight,
            .width = kWidth};
  }

  static constexpr int64_t kHeight = 7, kWidth = 9;
  const WinogradKernels* kernels_ = nullptr;
  int64_t channels_ = 0;
  TileGrid grid_{};
};

TEST_P(Bfloat16Maps, AreReadAsTheSameValuesInFloat32) {
  Halves map = Round(Random(map_elements(), 1));
  Floats widened = Widen(map);
  Floats a(tile_elements()), b(tile_elements());
  kernels_->transform_input(Map(map), 1, grid_, a.data());
  kernels_->transform_input(Map(widened), 1, grid_, b.data());
  EXPECT_EQ(a, b);
  kernels_->transform_gradient(Map(map), grid_, a.data());
  kernels_->transform_gradient(Map(widened), grid_, b.data());
  EXPECT_EQ(a, b);
  Floats sum_a(static_cast<size_t>(channels_)), sum_b(sum_a);
  kernels_->sum_channels(Map(map), 2, sum_a.data());
  kernels_->sum_channels(Map(widened), 2, sum_b.data());
  EXPECT_EQ(sum_a, sum_b);
}

TEST_P(Bfloat16Maps, AreWrittenRounded) {
  const Floats tiles = Random(tile_elements(), 2);
  const Floats bias = Random(static_cast<size_t>(channels_), 3);
  for (const bool relu : {false, true}) {
    Halves map(map_elements());
    Floats exact(map_elements());
    kernels_->transform_output(tiles.data(), bias.data(), relu, grid_,
                               Map(map));
    kernels_->transform_output(tiles.data(), bias.data(), relu, grid_,
                               Map(exact));
    EXPECT_EQ(map, Round(exact));
  }
}

TEST_P(Bfloat16Maps, KeepNans) {
  Floats tiles(tile_elements(), NAN);
  Halves map(map_elements());
  kernels_->transform_output(tiles.data(), nullptr, true, grid_, Map(map));
  for (const Bfloat16 value : map) {
    EXPECT_TRUE(std::isnan(FromBfloat16(value)));
  }
}

std::vector<std::tuple<Isa, int64_t>> WinogradTables() {
  std::vector<std::tuple<Isa, int64_t>> tables;
  for (const Isa isa : SupportedIsas()) {
    for (const int64_t r : {3, 5}) {
      if (WinogradKernelsFor(isa, r)) tables.emplace_back(isa, r);
    }
  }
  return tables;
}

INSTANTIATE_TEST_SUITE_P(, Bfloat16Maps, testing::ValuesIn(WinogradTables()),
                         [](const auto& info) {
                           return std::string(Name(std::get<0>(info.param))) +
                                  "_" + std::to_string(std::get<1>(info.param));
                         });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Bfloat16Maps);

EngineSpec SmallBfloat16Spec() {
  EngineSpec spec;
  spec.model = MakePreset("lenet5");
  spec.source = spec.model.input;
  spec.device = Device::kCpu;
  spec.precision = Precision::kBfloat16;
  spec.threads = 2;
  return spec;
}

TEST(Bfloat16Engine, IsRefusedWithoutItsInstructions) {
  if (SelectedIsa() >= Isa::kAvx512Bf16) {
    EXPECT_NO_THROW(MakeEngine(SmallBfloat16Spec()));
    return;
  }
  try {
    MakeEngine(SmallBfloat16Spec());
    FAIL() << "made an engine";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(),
                 Concat("bf16 needs a CPU with avx512_bf16 instructions, this "
                        "process has ",
                        Name(SelectedIsa()), "; use fp32")
                     .c_str());
  }
}

}  // namespace
}  // namespace alexnet::cpu
