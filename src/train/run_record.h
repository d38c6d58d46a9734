// SPDX-License-Identifier: MIT
// run.json: what was run, on what, and how it ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "alexnet/dataset.h"
#include "alexnet/engine.h"
#include "alexnet/train.h"
#include "train/run_options.h"

namespace alexnet {

class RunRecord {
 public:
  RunRecord(std::filesystem::path file, RunOptions options,
            const Engine& engine, const Dataset& training,
            int64_t validation_images, const TrainPosition& start);

  // Replaces the file. `result`: "running", "finished", "stopped", "failed".
  void Write(const std::string& result, const TrainPosition& position,
             const std::string& error = "") const;

 private:
  std::filesystem::path file_;
  RunOptions options_;
  std::string started_;
  std::string fixed_;  // JSON of what does not change during the run
};

// The recipe that a run.json names; empty if there is no such file or it names
// none.
std::string RecordedRecipe(const std::filesystem::path& file);

}  // namespace alexnet
