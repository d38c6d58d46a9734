// SPDX-License-Identifier: MIT
// What tools/make_model_goldens.py wrote.
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/hashed_values.h"

namespace alexnet::testing_support {

inline nlohmann::json LoadGolden(const std::string& name) {
  const std::string path =
      std::string(ALEXNET_GOLDEN_DIR) + "/model/" + name + ".json";
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path);
  return nlohmann::json::parse(file);
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
