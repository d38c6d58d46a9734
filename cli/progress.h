// SPDX-License-Identifier: MIT
// How a training run is going: on a terminal a live line, otherwise a line
// every 100 steps, "0 100, Loss: 1.2345".
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "alexnet/train.h"

namespace alexnet::cli {

class Progress {
 public:
  explicit Progress(bool live) : live_(live) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { ClearLine(); }

  void OnStep(const StepReport& report);
  void OnEpoch(const EpochReport& report);
  void Message(std::string_view text);
  void Warning(std::string_view text);

 private:
  void Draw(const StepReport& report);
  void ClearLine();

  bool live_;
  bool line_drawn_ = false;
  std::chrono::steady_clock::time_point drawn_at_;
  int64_t steps_ = 0;  // of this session
  int64_t images_ = 0;
  double seconds_ = 0;
  double wait_seconds_ = 0;
  double smooth_loss_ = 0;
};

}  // namespace alexnet::cli
