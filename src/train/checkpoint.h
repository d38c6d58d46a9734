// SPDX-License-Identifier: MIT
// The state of a run in one file, of which the last two generations are kept.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/train.h"
#include "train/run_options.h"

namespace alexnet {

inline constexpr char kCheckpointFile[] = "checkpoint.safetensors";
inline constexpr char kPreviousCheckpointFile[] =
    "checkpoint.previous.safetensors";

// Whole and durable, but not yet the current one; seen only after a crash.
inline constexpr char kNextCheckpointFile[] = "checkpoint.next.safetensors";

// What a checkpoint says beyond the tensors.
struct CheckpointInfo {
  RunOptions options;  // device, threads and slice size as resolved
  TrainPosition position;
  std::string kernel_plan;
  std::string isa;          // of the machine's kernels
  std::string library;      // Engine::library; empty also where not recorded
  std::string fingerprint;  // of the training images
  std::vector<std::string> class_names;
};

// The checkpoints of one folder. A new one is written beside them and made
// durable; then the current one becomes the previous one and the new one the
// current one. Whenever the machine stops, at least one that was whole before
// is still whole.
class CheckpointStore {
 public:
  explicit CheckpointStore(const std::filesystem::path& folder);

  // True if there is a file to load, sound or not.
  bool exists() const;

  // Writes parameters and TrainingStates, one tensor at a time.
  void Save(const Engine& engine, const CheckpointInfo& info);

  // Verifies the newest file down to the last byte; if it is damaged, says so
  // in `warning` and takes the previous one. Error with both reasons if
  // neither is sound.
  CheckpointInfo Load(std::string& warning);

  // Fills the engine from the file that Load chose.
  void Restore(Engine& engine) const;

 private:
  std::filesystem::path folder_;
  std::filesystem::path current_;
  std::filesystem::path previous_;
  std::filesystem::path loaded_;
  // A file found damaged must not push a sound one out.
  bool current_is_damaged_ = false;
};

}  // namespace alexnet
