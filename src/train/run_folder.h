// SPDX-License-Identifier: MIT
// The folder of a run: one process at a time, and the tables of its progress.
#pragma once

#include <filesystem>
#include <memory>

#include "alexnet/train.h"
#include "train/csv_log.h"

namespace alexnet {

class RunFolder {
 public:
  // Makes the folder if need be and locks it until the end. Error if another
  // process has it, or if nothing can be written there.
  explicit RunFolder(std::filesystem::path path);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder();

  const std::filesystem::path& path() const { return path_; }

  // Removes every file that a run writes.
  void RemoveRun();
  // Removes the weights of a run that goes on.
  void RemoveWeights();

  // Opens the tables, cut back to `position`.
  void OpenTables(const TrainPosition& position);
  void Add(const StepReport& report);
  void Add(const EpochReport& report);
  void SyncTables();

 private:
  std::filesystem::path path_;
  int lock_ = -1;
  std::unique_ptr<CsvLog> steps_;
  std::unique_ptr<CsvLog> epochs_;
};

}  // namespace alexnet
