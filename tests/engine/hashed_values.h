// SPDX-License-Identifier: MIT
// The hash from which tools/make_model_goldens.py and the tests make their
// values, signs and images.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace alexnet::testing_support {

constexpr uint64_t Mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

constexpr uint64_t Hash(uint64_t seed, uint64_t i) {
  return Mix(Mix(seed) + i);
}

// In [−1, 1), exact in float32.
inline std::vector<float> Values(uint64_t seed, size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const auto bits = static_cast<double>(Hash(seed, i) >> 40);
    values[i] = static_cast<float>(bits * 0x1p-23 - 1);
  }
  return values;
}

// Slanted waves with a disc, and some noise: images first … first + count − 1.
inline std::vector<uint8_t> Images(int64_t first, int64_t count, int64_t size) {
  std::vector<uint8_t> pixels;
  for (int64_t n = first; n < first + count; ++n) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t y = 0; y < size; ++y) {
        for (int64_t x = 0; x < size; ++x) {
          const int64_t h = y * 32 / size;
          const int64_t w = x * 32 / size;
          const int64_t slope =
              (h * (3 + n % 5) + w * (2 + 3 * c) + 29 * n) % 64;
          const int64_t wave = 3 * std::min(slope, 63 - slope);
          const int64_t dy = h - 10 - n % 7;
          const int64_t dx = w - 20 + n % 10;
          const bool disc = dy * dy + dx * dx < 40 + 10 * (n % 4);
          const int64_t base = disc ? 220 - 60 * c : 60 + wave;
          const uint64_t noise =
              Hash(static_cast<uint64_t>(1000 + first), pixels.size()) & 31;
          pixels.push_back(
              static_cast<uint8_t>(base + static_cast<int64_t>(noise)));
        }
      }
    }
  }
  return pixels;
}

}  // namespace alexnet::testing_support
