// SPDX-License-Identifier: MIT
// Random numbers for one change to one image in one epoch. They depend on
// nothing else, so that neither threads nor batches nor other changes matter.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "core/philox.h"

namespace alexnet {

// Where an image is in a run.
struct SampleKey {
  uint64_t seed = 0;
  int64_t epoch = 0;
  int64_t sample = 0;
};

class Draws {
 public:
  // `purpose` keeps different changes apart; dropout's layers have numbers far
  // below this range.
  Draws(const SampleKey& key, uint32_t purpose)
      : key_(key), stream_(0x41554700U + purpose) {}

  uint32_t Word() {
    if (next_ == 4) {
      words_ = Philox({block_++, stream_, static_cast<uint32_t>(key_.sample),
                       static_cast<uint32_t>(key_.epoch)},
                      key_.seed);
      next_ = 0;
    }
    return words_[next_++];
  }
  // In [0, 1).
  double Uniform() { return Word() / 4294967296.0; }
  double Uniform(double low, double high) {
    return low + (high - low) * Uniform();
  }
  // 0 … n − 1; n is far below 2³².
  int64_t Below(int64_t n) {
    return static_cast<int64_t>(Word() * static_cast<uint64_t>(n) >> 32);
  }
  double Normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * Uniform());
  }
  // Beta(alpha, alpha), 0 < alpha ≤ 1, by Jöhnk's method.
  double Beta(double alpha) {
    for (int i = 0; i < 1000; ++i) {
      const double x = std::pow(Uniform(), 1.0 / alpha);
      const double y = std::pow(Uniform(), 1.0 / alpha);
      // Of tiny alphas both powers may vanish.
      if (x + y > 0 && x + y <= 1) return x / (x + y);
    }
    return 1;
  }

 private:
  SampleKey key_;
  uint32_t stream_;
  uint32_t block_ = 0;
  Philox4 words_ = {};
  size_t next_ = 4;
};

}  // namespace alexnet
