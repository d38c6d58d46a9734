// SPDX-License-Identifier: MIT
// Inverted dropout in place. The mask is a function of seed, epoch, sample,
// layer and element, so that backward makes it again instead of storing it.
#pragma once

#include <cstdint>

#include "core/philox.h"

namespace alexnet::reference {

// Which mask of one image.
struct DropoutMask {
  double p = 0;
  uint64_t seed = 0;
  int64_t layer = 0;
  int64_t sample = 0;
  int64_t epoch = 0;
};

// y = x/(1−p) where the mask keeps, else 0; written over x. Backward is the
// same with dy for x.
template <class T>
void Dropout(T* x, int64_t n, const DropoutMask& mask) {
  if (mask.p == 0) return;
  const uint32_t threshold = DropoutThreshold(mask.p);
  const T scale = static_cast<T>(1 / (1 - mask.p));
  for (int64_t e = 0; e < n; ++e) {
    const Philox4 words = Philox(
        DropoutCounter(e, mask.layer, mask.sample, mask.epoch), mask.seed);
    const bool keep = words[static_cast<size_t>(e % 4)] >= threshold;
    x[e] = keep ? x[e] * scale : T(0);
  }
}

}  // namespace alexnet::reference
