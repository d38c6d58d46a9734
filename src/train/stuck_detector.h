// SPDX-License-Identifier: MIT
// Notices a network that has died: its loss sits at ln(classes), that of
// guessing.
#pragma once

#include <cmath>
#include <cstdint>

namespace alexnet {

class StuckDetector {
 public:
  // Steps in a row that the smoothed loss must stay near ln(classes). A net
  // that learns at all has left it by then; a dead one never does.
  static constexpr int64_t kSteps = 200;
  // Batches scatter by more than this even in a dead net; the smoothed loss
  // does not.
  static constexpr double kTolerance = 0.01;
  static constexpr double kSmoothing = 0.05;

  explicit StuckDetector(int64_t classes)
      : guessing_(std::log(static_cast<double>(classes))) {}

  // True once, at the step at which the loss counts as stuck.
  bool Add(double loss) {
    smoothed_ =
        seen_++ == 0 ? loss : smoothed_ + kSmoothing * (loss - smoothed_);
    const bool near = std::abs(smoothed_ - guessing_) < kTolerance * guessing_;
    near_ = near ? near_ + 1 : 0;
    if (near_ < kSteps || reported_) return false;
    reported_ = true;
    return true;
  }

  double guessing_loss() const { return guessing_; }

 private:
  double guessing_;
  double smoothed_ = 0;
  int64_t seen_ = 0;
  int64_t near_ = 0;
  bool reported_ = false;
};

}  // namespace alexnet
