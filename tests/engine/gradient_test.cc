// SPDX-License-Identifier: MIT
// The naive network's gradients against central differences, in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "alexnet/error.h"
#include "engine/hashed_values.h"
#include "engine/loss.h"
#include "engine/op_cases.h"
#include "engine/reference/reference_network.h"

namespace alexnet {
namespace {

using testing_support::Hash;
using testing_support::OpCase;
using testing_support::OpCases;

constexpr double kStep = 1e-5;
constexpr size_t kPlaces = 12;  // looked at in each tensor

// A network with inputs and parameters, and a loss over them.
class Probe {
 public:
  Probe(const ModelSpec& model, int64_t images, uint64_t seed)
      : images_(images),
        dropout_({.seed = seed, .epoch = 1, .samples = {}}),
        net_(model, {.max_images = images, .input_gradient = true}) {
    for (int64_t n = 0; n < images; ++n) dropout_.samples.push_back(5 * n + 1);
    input_.resize(static_cast<size_t>(images * model.input.elements()));
    Fill(input_, seed + 1, 1);
    for (size_t i = 0; i < net_.parameters().size(); ++i) {
      const auto fan_in = static_cast<double>(net_.parameters()[i].fan_in);
      Fill(net_.parameter(i), seed + 2 + i, 1 / std::sqrt(fan_in));
    }
  }

  double Loss() {
    const auto size = input_.size() / static_cast<size_t>(images_);
    for (int64_t n = 0; n < images_; ++n) {
      std::copy_n(input_.begin() + n * static_cast<int64_t>(size), size,
                  net_.input(n).begin());
    }
    net_.Forward(images_, &dropout_);
    double loss = 0;
    for (int64_t n = 0; n < images_; ++n) {
      const std::span<double> gradient = net_.logits_gradient(n);
      const auto label =
          static_cast<int32_t>(static_cast<size_t>(n) % gradient.size());
      loss += SoftmaxCrossEntropy(gradient, net_.logits(n), label, 1.0);
    }
    return loss;
  }

  void CheckAll() {
    Loss();
    net_.ZeroGradients();
    net_.Backward(images_, &dropout_);
    std::vector<double> input_gradient;
    for (int64_t n = 0; n < images_; ++n) {
      const std::span<double> part = net_.input_gradient(n);
      input_gradient.insert(input_gradient.end(), part.begin(), part.end());
    }
    Check("input", input_, input_gradient);
    for (size_t i = 0; i < net_.parameters().size(); ++i) {
      const std::span<double> gradient = net_.gradient(i);
      Check(net_.parameters()[i].name, net_.parameter(i),
            {gradient.begin(), gradient.end()});
    }
    // Kinks are rare, or nothing was checked.
    EXPECT_LE(kinks_ * 5, checked_);
  }

 private:
  static void Fill(std::span<double> values, uint64_t seed, double scale) {
    const std::vector<float> raw = testing_support::Values(seed, values.size());
    std::transform(raw.begin(), raw.end(), values.begin(),
                   [&](float x) { return scale * static_cast<double>(x); });
  }

  double LossWith(double& value, double replacement) {
    const double kept = std::exchange(value, replacement);
    const double loss = Loss();
    value = kept;
    return loss;
  }

  void Check(const std::string& name, std::span<double> values,
             const std::vector<double>& gradient) {
    double scale = 0;
    for (const double g : gradient) scale = std::max(scale, std::abs(g));
    for (size_t i = 0; i < std::min(kPlaces, values.size()); ++i) {
      const size_t at = Hash(9, i) % values.size();
      const double x = values[at];
      const double up = LossWith(values[at], x + kStep);
      const double down = LossWith(values[at], x - kStep);
      ++checked_;
      // Two sides that differ: a ReLU or a maximum changes over here.
      if (std::abs(up - 2 * Loss() + down) / kStep > 1e-3 * scale) {
        ++kinks_;
        continue;
      }
      EXPECT_NEAR((up - down) / (2 * kStep), gradient[at], 1e-6 * scale + 1e-9)
          << name << '[' << at << ']';
    }
  }

  int64_t images_;
  DropoutKeys dropout_;
  ReferenceNetwork<double> net_;
  std::vector<double> input_;
  int checked_ = 0;
  int kinks_ = 0;
};

class GradientCases : public ::testing::TestWithParam<OpCase> {};

TEST_P(GradientCases, AgreeWithDifferences) {
  Probe(GetParam().model, std::min<int64_t>(GetParam().images, 2), 70)
      .CheckAll();
}

INSTANTIATE_TEST_SUITE_P(, GradientCases, ::testing::ValuesIn(OpCases()),
                         [](const auto& info) { return info.param.name; });

// Draws from a seed, one number after the other.
class Dice {
 public:
  explicit Dice(uint64_t seed) : seed_(seed) {}
  int64_t Roll(int64_t low, int64_t high) {
    const auto range = static_cast<uint64_t>(high - low + 1);
    return low + static_cast<int64_t>(Hash(seed_, next_++) % range);
  }

 private:
  uint64_t seed_;
  uint64_t next_ = 0;
};

// One of each layer, of any shape; UsageError where they do not fit.
ModelSpec RandomModel(uint64_t seed) {
  Dice dice(seed);
  const auto size = [&](int64_t low, int64_t high) -> Size2 {
    return {dice.Roll(low, high), dice.Roll(low, high)};
  };
  const auto padding = [&](int64_t most) -> Padding {
    return {dice.Roll(0, most), dice.Roll(0, most), dice.Roll(0, most),
            dice.Roll(0, most)};
  };
  const int64_t groups = dice.Roll(1, 3);
  const Shape3 input = {groups * dice.Roll(1, 2), dice.Roll(4, 9),
                        dice.Roll(4, 9)};
  const Conv2dSpec conv = {.in_channels = input.channels,
                           .out_channels = groups * dice.Roll(1, 3),
                           .kernel = size(1, 4),
                           .stride = size(1, 3),
                           .padding = padding(2),
                           .groups = groups,
                           .ceil_mode = dice.Roll(0, 1) == 1};
  const LocalResponseNormSpec norm = {
      .size = dice.Roll(1, 6),
      .alpha = 0.5 * static_cast<double>(dice.Roll(1, 4)),
      .beta = 0.25 * static_cast<double>(dice.Roll(1, 4)),
      .k = 0.5 * static_cast<double>(dice.Roll(1, 4))};
  const MaxPool2dSpec pool = {.kernel = size(1, 3),
                              .stride = size(1, 3),
                              .padding = padding(1),
                              .ceil_mode = dice.Roll(0, 1) == 1};
  const DropoutSpec dropout = {0.1 * static_cast<double>(dice.Roll(0, 6))};
  return testing_support::Net(input, {conv, ReluSpec{}, norm, pool, dropout});
}

TEST(GradientsOfRandomNetworks, AgreeWithDifferences) {
  int checked = 0;
  for (uint64_t seed = 0; checked < 40; ++seed) {
    SCOPED_TRACE(seed);
    ModelSpec model;
    try {
      model = RandomModel(seed);
    } catch (const UsageError&) {
      continue;
    }
    Probe(model, 2, seed).CheckAll();
    ++checked;
  }
}

}  // namespace
}  // namespace alexnet
