// SPDX-License-Identifier: MIT
// ReLU in place: its backward needs only the output.
#pragma once

#include <cstdint>

#include "engine/formulas.h"

namespace alexnet::reference {

// y = max(x, 0), written over x. A NaN stays one.
template <class T>
void ReluForward(T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = Relu(x[i]);
}

// dx = dy where y > 0, else 0; written over dy.
template <class T>
void ReluBackward(T* dy, const T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) dy[i] = ReluGradient(dy[i], y[i]);
}

}  // namespace alexnet::reference
