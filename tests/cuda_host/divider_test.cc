// SPDX-License-Identifier: MIT
// Division by products against the machine's own.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "engine/cuda/device.cuh"

namespace alexnet::cuda {
namespace {

TEST(Divider, DividesAsTheProcessorDoes) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d < 1000; ++d) divisors.push_back(d);
  for (int bit = 10; bit < 31; ++bit) {
    for (int64_t near = -2; near <= 2; ++near) {
      divisors.push_back((int64_t{1} << bit) + near);
    }
  }
  for (int64_t near = 0; near < 5; ++near) divisors.push_back(kMost - near);
  for (const int64_t d : divisors) {
    const Divider divider(d);
    std::vector<int64_t> values = {0, 1, kMost, kMost - 1, kMost / 2};
    for (const int64_t times :
         {int64_t{1}, int64_t{2}, int64_t{7}, kMost / d}) {
      for (int64_t near = -1; near <= 1; ++near) {
        values.push_back(times * d + near);
      }
    }
    for (const int64_t n : values) {
      if (n < 0 || n > kMost) continue;
      ASSERT_EQ(divider.Quotient(static_cast<int32_t>(n)), n / d)
          << n << " " << d;
      ASSERT_EQ(divider.Remainder(static_cast<int32_t>(n)), n % d);
    }
  }
}

}  // namespace
}  // namespace alexnet::cuda
