// SPDX-License-Identifier: MIT
// Initial weights against PyTorch's, bit for bit.
#include <gtest/gtest.h>

#include <bit>
#include <cstdio>

#include "alexnet/model.h"
#include "engine/golden.h"
#include "engine/hashed_values.h"

namespace alexnet {
namespace {

using testing_support::Hash;

// The sum of bits times a hash of the place: no change goes unseen.
std::string BitCheck(std::span<const float> values) {
  uint64_t sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += std::bit_cast<uint32_t>(values[i]) * Hash(3, i);
  }
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx",
                static_cast<unsigned long long>(sum));
  return text;
}

TEST(InitialParameters, EqualPyTorchsBitForBit) {
  const nlohmann::json golden = testing_support::LoadGolden("initial");
  ASSERT_EQ(golden["networks"].size(), 9U);
  for (const nlohmann::json& network : golden["networks"]) {
    const std::string arch = network["arch"];
    const uint64_t seed = network["seed"];
    SCOPED_TRACE(arch + ", seed " + std::to_string(seed));
    size_t next = 0;
    InitialParameters(
        MakePreset(arch), seed,
        [&](const ParameterInfo& info, std::span<const float> values) {
          ASSERT_LT(next, network["parameters"].size());
          const nlohmann::json& expected = network["parameters"][next++];
          EXPECT_EQ(info.name, expected["name"].get<std::string>());
          EXPECT_EQ(info.shape, expected["shape"].get<std::vector<int64_t>>());
          EXPECT_EQ(values[0], expected["first"].get<float>()) << info.name;
          EXPECT_EQ(BitCheck(values), expected["bits"].get<std::string>())
              << info.name;
        });
    EXPECT_EQ(next, network["parameters"].size());
  }
}

}  // namespace
}  // namespace alexnet
