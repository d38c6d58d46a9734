// SPDX-License-Identifier: MIT
// Inverted dropout in place. The mask is a function of seed, epoch, sample,
// layer and element, so that backward makes it again instead of storing it.
#pragma once

#include <cstdint>

#include "engine/formulas.h"

namespace alexnet::reference {

// y = x/(1−p) where the mask keeps, else 0; written over x. Backward is the
// same with dy for x.
template <class T>
void Dropout(T* x, int64_t n, const DropoutMask& mask) {
  if (mask.p == 0) return;
  const T scale = static_cast<T>(1 / (1 - mask.p));
  for (int64_t e = 0; e < n; ++e) {
    x[e] = DropoutKeeps(mask, e) ? x[e] * scale : T(0);
  }
}

}  // namespace alexnet::reference
