// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace alexnet::testing {

// The lines of a file of tests/golden/, without its comments.
inline std::vector<std::istringstream> GoldenLines(const std::string& name) {
  std::ifstream in(std::string(ALEXNET_GOLDEN_DIR "/") + name);
  std::vector<std::istringstream> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with('#')) lines.emplace_back(line);
  }
  EXPECT_FALSE(lines.empty()) << name;
  return lines;
}

}  // namespace alexnet::testing
