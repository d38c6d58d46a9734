// SPDX-License-Identifier: MIT
// The Adam update against torch.optim.Adam.
#include "engine/adam.h"

#include <gtest/gtest.h>

#include "engine/golden.h"

namespace alexnet {
namespace {

using testing_support::RelativeError;
using testing_support::Values;

TEST(Adam, TenStepsEqualPyTorchs) {
  const nlohmann::json golden = testing_support::LoadGolden("adam");
  for (const auto& run : golden["runs"]) {
    AdamSpec spec;
    spec.weight_decay = run["weight_decay"];
    SCOPED_TRACE(spec.weight_decay);
    std::vector<float> w = Values(20, 16);
    std::vector<float> m(16);
    std::vector<float> v(16);
    for (int step = 0; step < 10; ++step) {
      std::vector<float> g = Values(static_cast<uint64_t>(21 + step), 16);
      const auto scale = static_cast<float>(std::pow(10.0, step % 4 - 2));
      for (float& x : g) x *= scale;
      AdamUpdateTile(w.data(), m.data(), v.data(), g.data(), 16,
                     MakeAdamCoefficients(spec, step + 1, 1e-3));
    }
    const std::vector<double> expected = run["w"];
    for (size_t i = 0; i < w.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(w[i]), expected[i], 3e-7) << i;
    }
    EXPECT_LE(RelativeError(m, run["m"].get<std::vector<double>>()), 3e-7);
    EXPECT_LE(RelativeError(v, run["v"].get<std::vector<double>>()), 3e-7);
  }
}

TEST(Adam, CoefficientsOfTheFirstStep) {
  const AdamCoefficients c = MakeAdamCoefficients({}, 1, 1e-3);
  EXPECT_FLOAT_EQ(c.step_size, 1e-2F);
  EXPECT_FLOAT_EQ(c.inv_sqrt_bias2, 31.622776F);
  EXPECT_EQ(c.one_minus_beta1, 0.1F);
}

TEST(Adam, MultipliersAreTheParametersOwn) {
  const AdamSpec spec = {.weight_decay = 0.5};
  const AdamCoefficients c = MakeAdamCoefficients(spec, 1, 1e-3, 2, 0);
  EXPECT_FLOAT_EQ(c.step_size, 2e-2F);
  EXPECT_EQ(c.weight_decay, 0);
}

}  // namespace
}  // namespace alexnet
