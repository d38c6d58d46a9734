// SPDX-License-Identifier: MIT
// PyTorch's CPU generator, as far as this program draws from it: uniform_()
// and randperm() after torch.manual_seed. Checked against PyTorch 1.13 and
// 2.13.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace alexnet {

class TorchRandom {
 public:
  // PyTorch's mt19937 takes the low 32 bits of the seed.
  explicit TorchRandom(uint64_t seed)
      : generator_(static_cast<uint32_t>(seed)) {}

  // Tensor.uniform_(low, high) for float32: 24 random bits each.
  void Uniform(float low, float high, std::span<float> values) {
    const auto range = static_cast<double>(high - low);
    for (float& value : values) {
      const auto bits = static_cast<uint32_t>(generator_()) & 0xFFFFFFU;
      value = static_cast<float>(bits * 0x1p-24 * range + double{low});
    }
  }

  // torch.randperm(n) for n < 2³²: Fisher–Yates from the front.
  template <class Int>
  void Permutation(std::span<Int> values) {
    const auto n = values.size();
    for (size_t i = 0; i < n; ++i) values[i] = static_cast<Int>(i);
    for (size_t i = 0; i + 1 < n; ++i) {
      std::swap(values[i], values[i + generator_() % (n - i)]);
    }
  }

 private:
  std::mt19937 generator_;
};

}  // namespace alexnet
