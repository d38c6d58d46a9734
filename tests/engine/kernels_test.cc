// SPDX-License-Identifier: MIT
// Every kernel, in every instruction set that this machine has, against a
// plain loop.
#include "engine/cpu/kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/arena.h"
#include "core/philox.h"
#include "core/resize.h"
#include "engine/relative_error.h"

namespace alexnet::cpu {
namespace {

using testing::Each;
using testing::ElementsAreArray;
using Floats = std::vector<float>;

// Around the widths of vectors and tiles, and beyond the size from which the
// work is shared among threads.
const std::vector<int64_t> kSizes = {1,  3,  7,  15,  16,    17,
                                     31, 63, 64, 257, 16384, 20011};

// Guards on both sides show writes out of bounds.
constexpr size_t kGuard = 64;
constexpr float kUntouched = 12345.5F;

class Guarded {
 public:
  explicit Guarded(const Floats& values) : data_(values.size() + 2 * kGuard) {
    std::fill(data_.begin(), data_.end(), kUntouched);
    std::copy(values.begin(), values.end(), data_.begin() + kGuard);
  }
  float* get() { return data_.data() + kGuard; }
  Floats values() const {
    return {data_.begin() + kGuard, data_.end() - kGuard};
  }
  ~Guarded() {
    for (size_t i = 0; i < kGuard; ++i) {
      EXPECT_EQ(data_[i], kUntouched) << "written " << kGuard - i << " before";
      EXPECT_EQ(data_[data_.size() - 1 - i], kUntouched) << "written past end";
    }
  }

 private:
  Floats data_;
};

Floats Random(int64_t n, uint32_t seed, float scale = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  Floats values(static_cast<size_t>(n));
  for (float& value : values) value = normal(generator);
  return values;
}

class KernelsTest : public testing::TestWithParam<Isa> {
 protected:
  const Kernels& kernels_ = KernelsFor(GetParam());
};

TEST_P(KernelsTest, Relu) {
  for (const int64_t n : kSizes) {
    Floats x = Random(n, 1);
    const auto nan = static_cast<size_t>(n / 2);
    x[nan] = std::numeric_limits<float>::quiet_NaN();
    Guarded out(x);
    kernels_.relu(out.get(), n);
    Floats rectified = out.values();
    EXPECT_TRUE(std::isnan(rectified[nan])) << n;
    rectified[nan] = x[nan] = 0;
    for (float& value : x) value = std::max(value, 0.0F);
    EXPECT_THAT(rectified, ElementsAreArray(x)) << n;
  }
}

TEST_P(KernelsTest, ReluMask) {
  for (const int64_t n : kSizes) {
    Floats y = Random(n, 2);
    y[0] = 0;
    Floats expected = Random(n, 3);
    Guarded dy(expected);
    kernels_.relu_mask(y.data(), dy.get(), n);
    for (size_t i = 0; i < y.size(); ++i) {
      if (!(y[i] > 0)) expected[i] = 0;
    }
    EXPECT_THAT(dy.values(), ElementsAreArray(expected)) << n;
  }
}

// Against sums in double: 1e-6 of the norm, as for direct convolution.
TEST_P(KernelsTest, LinearForward) {
  for (const auto& [images, in, out] :
       std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                           {1, 400, 120},
                                           {5, 17, 7},
                                           {6, 64, 4},
                                           {13, 100, 33},
                                           {2, 9216, 6},
                                           {32, 4611, 10}}) {
    const Floats x = Random(images * in, 21);
    const Floats w = Random(out * in, 22);
    const Floats bias = Random(out, 23);
    Guarded y{Floats(static_cast<size_t>(images * out), NAN)};
    std::vector<std::byte> scratch(
        static_cast<size_t>(LinearScratchBytes(images, in)));
    for (const bool relu : {false, true}) {
      kernels_.linear_forward({.outputs = y.get(),
                               .inputs = x.data(),
                               .packed_inputs = scratch.data(),
                               .weights = w.data(),
                               .weights_bf16 = nullptr,
                               .bias = bias.data(),
                               .images = images,
                               .in = in,
                               .out = out,
                               .relu = relu});
      std::vector<double> expected;
      for (int64_t n = 0; n < images; ++n) {
        for (int64_t k = 0; k < out; ++k) {
          double sum = bias[static_cast<size_t>(k)];
          for (int64_t c = 0; c < in; ++c) {
            sum += double{x[static_cast<size_t>(n * in + c)]} *
                   w[static_cast<size_t>(k * in + c)];
          }
          expected.push_back(relu ? std::max(sum, 0.0) : sum);
        }
      }
      EXPECT_LE(testing_support::RelativeError(
                    y.values(), std::span<const double>(expected)),
                1e-6)
          << images << " × " << in << " × " << out;
    }
  }
}

TEST_P(KernelsTest, SumRowsAndAdd) {
  for (const int64_t n : kSizes) {
    const Floats x = Random(3 * n, 6);
    Guarded sum{Floats(static_cast<size_t>(n))};
    kernels_.sum_rows(x.data(), 3, n, sum.get());
    Floats expected(static_cast<size_t>(n));
    for (size_t i = 0; i < x.size(); ++i) {
      expected[i % static_cast<size_t>(n)] += x[i];
    }
    EXPECT_THAT(sum.values(), ElementsAreArray(expected)) << n;
    kernels_.add(x.data(), sum.get(), n);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += x[i];
    EXPECT_THAT(sum.values(), ElementsAreArray(expected)) << n;
  }
}

TEST_P(KernelsTest, FindsEveryNonFiniteValue) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const int64_t n : {1, 15, 16, 33, 20011}) {
    Floats x = Random(n, 7, 1e30F);
    EXPECT_TRUE(kernels_.all_finite(x.data(), n));
    for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
      for (const float bad : {NAN, kInf, -kInf}) {
        const float good = std::exchange(x[static_cast<size_t>(at)], bad);
        EXPECT_FALSE(kernels_.all_finite(x.data(), n)) << bad << " at " << at;
        EXPECT_TRUE(std::isnan(kernels_.max_abs(x.data(), n)));
        x[static_cast<size_t>(at)] = good;
      }
    }
  }
}

TEST_P(KernelsTest, MaxAbs) {
  for (const int64_t n : kSizes) {
    Floats x = Random(n, 8);
    x[static_cast<size_t>(n - 1)] = -100;
    EXPECT_EQ(kernels_.max_abs(x.data(), n), 100);
  }
}

TEST_P(KernelsTest, DropoutFollowsItsCounter) {
  constexpr int64_t kElements = 4 * 16 * 3 + 5;  // whole blocks and a tail
  const std::vector<int64_t> samples = {5, 70'000, 3};
  const Floats x = Random(3 * kElements, 9);
  Guarded out(x);
  const uint64_t seed = 0x1234567890ABCDEF;
  kernels_.dropout({.values = out.get(),
                    .images = 3,
                    .elements = kElements,
                    .sample_ids = samples.data(),
                    .layer = 16,
                    .epoch = 4,
                    .seed = seed,
                    .threshold = DropoutThreshold(0.3),
                    .scale = 1.25F});
  Floats expected = x;
  for (size_t i = 0; i < x.size(); ++i) {
    const auto element = static_cast<int64_t>(i) % kElements;
    const size_t image = i / kElements;
    const auto words =
        Philox(DropoutCounter(element, 16, samples[image], 4), seed);
    const bool keep =
        words[static_cast<size_t>(element % 4)] >= DropoutThreshold(0.3);
    expected[i] = keep ? x[i] * 1.25F : 0;
  }
  EXPECT_THAT(out.values(), ElementsAreArray(expected));
}

// Compilers may contract a·b + c, so the bound is a few roundings.
void ExpectClose(const Floats& actual, const Floats& expected, double factor) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const double bound = factor * std::numeric_limits<float>::epsilon() *
                         std::max(1.0, std::abs(double{expected[i]}));
    ASSERT_NEAR(actual[i], expected[i], bound) << "at " << i;
  }
}

// Of each kind, with an average and a clipped gradient.
std::vector<UpdateCoefficients> SomeUpdates() {
  std::vector<UpdateCoefficients> updates;
  for (const auto kind : {OptimizerKind::kAdam, OptimizerKind::kAdamW,
                          OptimizerKind::kSgd, OptimizerKind::kCaffeSgd}) {
    updates.push_back(MakeCoefficients(
        {.optimizer = {.kind = kind, .nesterov = true, .weight_decay = 0.01},
         .step = 3,
         .learning_rate = 1e-2,
         .gradient_scale = 0.5,
         .average_decay = 0.9}));
  }
  return updates;
}

// One value by the formulas.
void UpdateOne(float& w, float& m, float& v, float& average, float g,
               const UpdateCoefficients& c) {
  if (c.adam) {
    AdamUpdate(w, m, v, g, c);
  } else {
    SgdUpdate(w, m, g, c);
  }
  AverageUpdate(average, w, c);
}

Floats Squared(Floats values) {
  for (float& value : values) value *= value;
  return values;
}

TEST_P(KernelsTest, Update) {
  for (const UpdateCoefficients& update : SomeUpdates()) {
    for (const int64_t n : kSizes) {
      Floats w = Random(n, 10), m = Random(n, 11), v = Squared(Random(n, 12));
      Floats a = Random(n, 19);
      const Floats g = Random(n, 13);
      Guarded w_out(w), m_out(m), v_out(v), a_out(a);
      kernels_.update({w_out.get(), m_out.get(), v_out.get(), a_out.get()},
                      g.data(), n, update);
      for (size_t i = 0; i < w.size(); ++i) {
        UpdateOne(w[i], m[i], v[i], a[i], g[i], update);
      }
      ExpectClose(w_out.values(), w, 4);
      ExpectClose(m_out.values(), m, 4);
      ExpectClose(v_out.values(), v, 4);
      ExpectClose(a_out.values(), a, 4);
    }
  }
}

TEST_P(KernelsTest, SumsOfProducts) {
  for (const int64_t n : kSizes) {
    const Floats x = Random(n, 20), y = Random(n, 21);
    double squares = 0, products = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      squares += double{x[i]} * double{x[i]};
      products += double{x[i]} * double{y[i]};
    }
    EXPECT_NEAR(kernels_.sum_squares(x.data(), n), squares, 1e-12 * squares);
    EXPECT_NEAR(kernels_.dot(x.data(), y.data(), n), products, 1e-12 * squares);
  }
}

void CheckLinearUpdate(const Kernels& kernels, int64_t images, int64_t in,
                       int64_t out, const UpdateCoefficients& update) {
  const Floats x = Random(images * in, 14);
  const Floats dy = Random(images * out, 15);
  Floats w = Random(in * out, 16), m = Random(in * out, 17);
  Floats v = Squared(Random(in * out, 18)), a = Random(in * out, 19);
  Guarded w_out(w), m_out(m), v_out(v), a_out(a);
  const Pages packed(kernels.linear_pack_bytes(images, in));
  Floats packed_gradients(static_cast<size_t>(images * out));
  kernels.linear_update(
      {.weights = {w_out.get(), m_out.get(), v_out.get(), a_out.get()},
       .inputs = x.data(),
       .gradients = dy.data(),
       .packed = reinterpret_cast<float*>(packed.data()),
       .packed_gradients = packed_gradients.data(),
       .images = images,
       .in = in,
       .out = out},
      update);
  for (int64_t k = 0; k < out; ++k) {
    for (int64_t c = 0; c < in; ++c) {
      double g = 0;
      for (int64_t n = 0; n < images; ++n) {
        g += double{dy[static_cast<size_t>(n * out + k)]} *
             double{x[static_cast<size_t>(n * in + c)]};
      }
      const auto i = static_cast<size_t>(k * in + c);
      UpdateOne(w[i], m[i], v[i], a[i], static_cast<float>(g), update);
    }
  }
  // A gradient summed over 33 images is off by a few dozen roundings.
  ExpectClose(m_out.values(), m, 64);
  ExpectClose(v_out.values(), v, 64);
  ExpectClose(w_out.values(), w, 64);
  ExpectClose(a_out.values(), a, 64);
}

TEST_P(KernelsTest, LinearUpdateFormsTheGradientAndApplies) {
  for (const UpdateCoefficients& update : SomeUpdates()) {
    for (const auto& [images, in, out] :
         std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                             {3, 5, 2},
                                             {2, 64, 6},
                                             {7, 65, 13},
                                             {5, 200, 25},
                                             {33, 129, 31},
                                             {3, 2048 + 65, 13}}) {
      CheckLinearUpdate(kernels_, images, in, out, update);
    }
  }
}

TEST_P(KernelsTest, MakesTheInputExactly) {
  const Size2 sizes[][2] = {{{32, 32}, {227, 227}}, {{5, 7}, {5, 7}},
                            {{32, 32}, {20, 11}},   {{9, 4}, {9, 13}},
                            {{6, 6}, {17, 6}},      {{1, 1}, {3, 5}}};
  for (const auto& [from, to] : sizes) {
    const ResizePlan plan(from, to);
    const int64_t in_plane = from.height * from.width;
    const int64_t out_plane = to.height * to.width;
    std::mt19937 generator(19);
    std::vector<uint8_t> pixels(static_cast<size_t>(2 * 3 * in_plane));
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(generator());
    const uint8_t* images[] = {pixels.data() + 3 * in_plane, pixels.data()};
    const float mean[] = {0.5F, 0.4F, 0.3F}, std[] = {0.5F, 0.2F, 0.3F};
    Guarded out{Floats(static_cast<size_t>(2 * 3 * out_plane))};
    std::vector<uint8_t> scratch(static_cast<size_t>(6 * plan.scratch_bytes()));
    const auto table = [](const ResizeAxis& axis) {
      return AxisTable{axis.in,           axis.out,
                       axis.taps,         axis.first.data(),
                       axis.count.data(), axis.weights.data()};
    };
    kernels_.make_input({.across = table(plan.horizontal),
                         .down = table(plan.vertical),
                         .pixels = images,
                         .images = 2,
                         .channels = 3,
                         .mean = mean,
                         .std = std,
                         .scratch = scratch.data(),
                         .out = out.get()});
    Floats expected;
    for (int plane = 0; plane < 6; ++plane) {
      const int64_t at = ((plane < 3 ? 3 : 0) + plane % 3) * in_plane;
      std::vector<uint8_t> resized(static_cast<size_t>(out_plane));
      ResizePlane(plan,
                  std::span(pixels).subspan(static_cast<size_t>(at),
                                            static_cast<size_t>(in_plane)),
                  scratch, resized);
      for (const uint8_t pixel : resized) {
        expected.push_back(
            (static_cast<float>(pixel) / 255.0F - mean[plane % 3]) /
            std[plane % 3]);
      }
    }
    EXPECT_THAT(out.values(), ElementsAreArray(expected))
        << from.height << "×" << from.width << " to " << to.height << "×"
        << to.width;
  }
}

std::string IsaName(const testing::TestParamInfo<Isa>& info) {
  return std::string(Name(info.param));
}

INSTANTIATE_TEST_SUITE_P(, KernelsTest, testing::ValuesIn(SupportedIsas()),
                         IsaName);

}  // namespace
}  // namespace alexnet::cpu
