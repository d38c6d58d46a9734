// SPDX-License-Identifier: MIT
// A run that takes milliseconds: eight steps on thirty embedded images.
#pragma once

#include <filesystem>
#include <memory>
#include <sstream>
#include <string>

#include "train/fake_engine.h"
#include "train/files.h"
#include "train/run.h"

namespace alexnet {

inline constexpr int64_t kSmallRunSteps = 8;

inline RunOptions SmallRun(const std::filesystem::path& out) {
  RunOptions options;
  options.arch = "lenet5";
  options.dataset = "shapes";
  options.shapes_count = 30;
  options.epochs = 2;
  options.batch_size = 8;
  options.lr = 1e-2;
  options.seed = 3;
  options.shuffle = true;
  options.checkpoint_every = 2;
  options.device = "reference";
  options.threads = 1;
  options.out = out.string();
  return options;
}

inline RunCallbacks WithFakeEngine() {
  RunCallbacks callbacks;
  callbacks.make_engine = [](const EngineSpec& spec) {
    return std::make_unique<FakeEngine>(spec);
  };
  return callbacks;
}

// steps.csv without its last two columns, which are times.
inline std::string StepsWithoutTimes(const std::filesystem::path& folder) {
  std::istringstream file(ReadAll(folder / kStepsFile));
  std::string result;
  for (std::string line; std::getline(file, line);) {
    for (int column = 0; column < 2; ++column) line.resize(line.rfind(','));
    result += line + '\n';
  }
  return result;
}

inline std::string EpochsWithoutTimes(const std::filesystem::path& folder) {
  std::istringstream file(ReadAll(folder / kEpochsFile));
  std::string result;
  for (std::string line; std::getline(file, line);) {
    result += line.substr(0, line.rfind(',')) + '\n';
  }
  return result;
}

}  // namespace alexnet
