// SPDX-License-Identifier: MIT
// What tools/make_model_goldens.py wrote, and the hash from which it and the
// tests make their values, signs and images.
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/relative_error.h"

namespace alexnet::testing_support {

inline nlohmann::json LoadGolden(const std::string& name) {
  const std::string path =
      std::string(ALEXNET_GOLDEN_DIR) + "/model/" + name + ".json";
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path);
  return nlohmann::json::parse(file);
}

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

// How far values are from golden ones, relative to the golden's norm. The sums
// under random signs estimate the norm of the whole difference.
struct Distance {
  double norm = 0;         // difference of the norms
  double projections = 0;  // root mean square
  double samples = 0;      // largest
};

inline Distance Compare(std::span<const float> values,
                        const nlohmann::json& golden) {
  const std::vector<double> expected = golden["projections"];
  std::vector<double> sums(expected.size());
  double squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto x = static_cast<double>(values[i]);
    const uint64_t signs = Hash(7, i);
    for (size_t j = 0; j < sums.size(); ++j) {
      sums[j] += (signs >> j & 1) ? -x : x;
    }
    squares += x * x;
  }
  const double norm = golden["norm"];
  Distance distance;
  distance.norm = std::abs(std::sqrt(squares) - norm) / norm;
  for (size_t j = 0; j < sums.size(); ++j) {
    distance.projections += (sums[j] - expected[j]) * (sums[j] - expected[j]);
  }
  distance.projections =
      std::sqrt(distance.projections / static_cast<double>(sums.size())) / norm;
  const std::vector<double> samples = golden["samples"];
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto at = static_cast<size_t>(Hash(11, i) % values.size());
    const double difference = static_cast<double>(values[at]) - samples[i];
    distance.samples = std::max(distance.samples, std::abs(difference) / norm);
  }
  return distance;
}

}  // namespace alexnet::testing_support
