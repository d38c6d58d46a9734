// SPDX-License-Identifier: MIT
// The updates against torch.optim's, and Caffe's against its own rule.
#include "engine/optimizer.h"

#include <gtest/gtest.h>

#include "engine/golden.h"
#include "engine/hashed_values.h"
#include "engine/relative_error.h"

namespace alexnet {
namespace {

using testing_support::RelativeError;
using testing_support::Values;

constexpr size_t kSize = 16;

// What tools/make_model_goldens.py feeds to the optimizers.
std::vector<float> Gradient(int step) {
  std::vector<float> g = Values(static_cast<uint64_t>(21 + step), kSize);
  const auto scale = static_cast<float>(std::pow(10.0, step % 4 - 2));
  for (float& x : g) x *= scale;
  return g;
}

double Norm(const std::vector<float>& values) {
  double squares = 0;
  for (const float x : values) squares += double{x} * double{x};
  return std::sqrt(squares);
}

OptimizerSpec SpecOf(const nlohmann::json& run) {
  return {.kind = ParseOptimizer(run["name"].get<std::string>()),
          .momentum = run["momentum"],
          .nesterov = run["nesterov"],
          .weight_decay = run["weight_decay"]};
}

TEST(Optimizers, TenStepsEqualPyTorchs) {
  const nlohmann::json golden = testing_support::LoadGolden("optimizers");
  ASSERT_EQ(golden["runs"].size(), 7U);
  for (const auto& run : golden["runs"]) {
    SCOPED_TRACE(run.dump());
    std::vector<float> w = Values(20, kSize), m(kSize), v(kSize);
    for (int step = 0; step < 10; ++step) {
      const std::vector<float> g = Gradient(step);
      UpdateStep update = {.optimizer = SpecOf(run), .step = step + 1};
      update.learning_rate = run["lr"].get<double>() / (step < 5 ? 1 : 10);
      update.gradient_scale = ClipScale(Norm(g), run["clip"]);
      UpdateTile({w.data(), m.data(), v.data()}, g.data(), kSize,
                 MakeCoefficients(update));
    }
    const std::vector<double> expected = run["w"];
    for (size_t i = 0; i < w.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(w[i]), expected[i], 4e-7) << i;
    }
    for (const auto& [name, values] : {std::pair{"m", m}, {"v", v}}) {
      if (!run.contains(name) || run[name].is_null()) continue;
      EXPECT_LE(RelativeError(values, run[name].get<std::vector<double>>()),
                4e-7)
          << name;
    }
  }
}

// v = μ·v + lr·(g + λ·w), w −= v; Nesterov: w −= (1+μ)·v − μ·v before.
TEST(Optimizers, CaffesSgdFollowsItsOwnRule) {
  for (const bool nesterov : {false, true}) {
    const OptimizerSpec spec = {.kind = OptimizerKind::kCaffeSgd,
                                .momentum = 0.9,
                                .nesterov = nesterov,
                                .weight_decay = 0.01};
    std::vector<float> w = Values(20, kSize), m(kSize);
    std::vector<double> x(w.begin(), w.end()), velocity(kSize);
    for (int step = 0; step < 10; ++step) {
      const double rate = step < 5 ? 1e-2 : 1e-3;
      const std::vector<float> g = Gradient(step);
      UpdateTile({w.data(), m.data()}, g.data(), kSize,
                 MakeCoefficients({.optimizer = spec, .learning_rate = rate}));
      for (size_t i = 0; i < kSize; ++i) {
        const double before = velocity[i];
        velocity[i] = 0.9 * before + rate * (double{g[i]} + 0.01 * x[i]);
        x[i] -= nesterov ? 1.9 * velocity[i] - 0.9 * before : velocity[i];
      }
    }
    EXPECT_LE(RelativeError(w, x), 1e-6) << nesterov;
    EXPECT_LE(RelativeError(m, velocity), 1e-6) << nesterov;
  }
}

// Equal while the rate is constant, apart once it changes.
TEST(Optimizers, TheFormsOfSgdPartWhenTheRateChanges) {
  const auto after = [](OptimizerKind kind, int steps) {
    std::vector<float> w = Values(20, kSize), m(kSize);
    for (int step = 0; step < steps; ++step) {
      UpdateTile({w.data(), m.data()}, Gradient(step).data(), kSize,
                 MakeCoefficients({.optimizer = {.kind = kind},
                                   .learning_rate = step < 5 ? 1e-2 : 1e-3}));
    }
    return w;
  };
  constexpr auto kTorch = OptimizerKind::kSgd;
  constexpr auto kCaffe = OptimizerKind::kCaffeSgd;
  EXPECT_LE(RelativeError(after(kTorch, 5), after(kCaffe, 5)), 1e-6);
  EXPECT_GE(RelativeError(after(kTorch, 6), after(kCaffe, 6)), 1e-3);
}

TEST(Optimizers, TheAverageFollowsTheWeights) {
  std::vector<float> w = Values(20, kSize), m(kSize), average = w;
  std::vector<double> expected(w.begin(), w.end());
  for (int t = 1; t <= 10; ++t) {
    UpdateTile({w.data(), m.data(), nullptr, average.data()},
               Gradient(t).data(), kSize,
               MakeCoefficients({.optimizer = {.kind = OptimizerKind::kSgd},
                                 .step = t,
                                 .learning_rate = 0.1,
                                 .average_decay = 0.4}));
    const double keep = std::min(0.4, (1.0 + t) / (10.0 + t));
    for (size_t i = 0; i < kSize; ++i) {
      expected[i] = keep * expected[i] + (1 - keep) * double{w[i]};
    }
  }
  EXPECT_LE(RelativeError(average, expected), 1e-6);
}

TEST(Coefficients, OfAdamsFirstStep) {
  const UpdateCoefficients c = MakeCoefficients({.learning_rate = 1e-3});
  EXPECT_TRUE(c.adam);
  EXPECT_FLOAT_EQ(c.step_size, 1e-2F);
  EXPECT_FLOAT_EQ(c.inv_sqrt_bias2, 31.622776F);
  EXPECT_EQ(c.one_minus_beta1, 0.1F);
}

TEST(Coefficients, MultipliersAreTheParametersOwn) {
  UpdateStep step = {.optimizer = {.weight_decay = 0.5}, .learning_rate = 1e-3};
  UpdateCoefficients c = MakeCoefficients(step, 2, 0);
  EXPECT_FLOAT_EQ(c.step_size, 2e-2F);
  EXPECT_EQ(c.weight_decay, 0);
  step.optimizer.kind = OptimizerKind::kAdamW;
  c = MakeCoefficients(step, 2, 3);
  EXPECT_FLOAT_EQ(c.shrink, 1 - 2e-3F * 1.5F);
  step.optimizer.kind = OptimizerKind::kSgd;
  EXPECT_FLOAT_EQ(MakeCoefficients(step, 2, 3).from_momentum, 2e-3F);
  EXPECT_FLOAT_EQ(MakeCoefficients(step, 2, 3).weight_decay, 1.5F);
}

TEST(Clipping, IsPyTorchs) {
  EXPECT_EQ(ClipScale(3, 0), 1);
  EXPECT_EQ(ClipScale(3, 4), 1);
  EXPECT_DOUBLE_EQ(ClipScale(3, 1.5), 1.5 / (3 + 1e-6));
}

}  // namespace
}  // namespace alexnet
