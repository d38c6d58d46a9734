// SPDX-License-Identifier: MIT
#include "core/torch_random.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <vector>

#include "core/fnv1a.h"
#include "core/golden_file.h"

namespace alexnet {
namespace {

TEST(TorchRandom, UniformEqualsPyTorchs) {
  for (auto& line : testing::GoldenLines("uniform_torch.txt")) {
    size_t n = 0;
    uint64_t seed = 0;
    uint64_t hash = 0;
    double low = 0;
    double high = 0;
    line >> n >> seed >> low >> high >> std::hex >> hash;
    SCOPED_TRACE(line.str());
    std::vector<float> values(n);
    TorchRandom(seed).Uniform(static_cast<float>(low), static_cast<float>(high),
                              values);
    std::string first;
    for (size_t i = 0; line >> first; ++i) {
      EXPECT_EQ(values.at(i), std::strtod(first.c_str(), nullptr));
    }
    EXPECT_EQ(testing::Fnv1aOf(values), hash);
  }
}

TEST(TorchRandom, PermutationOfNothingAndOfOne) {
  std::vector<int> none;
  TorchRandom(1).Permutation(std::span(none));
  std::vector<int> one = {7};
  TorchRandom(1).Permutation(std::span(one));
  EXPECT_EQ(one, std::vector<int>{0});
}

}  // namespace
}  // namespace alexnet
