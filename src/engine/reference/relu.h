// SPDX-License-Identifier: MIT
// ReLU in place: its backward needs only the output.
#pragma once

#include <cstdint>

namespace alexnet::reference {

// y = max(x, 0), written over x. A NaN stays one.
template <class T>
void ReluForward(T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = x[i] < 0 ? T(0) : x[i];
}

// dx = dy where y > 0, else 0; written over dy.
template <class T>
void ReluBackward(T* dy, const T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) dy[i] = y[i] <= 0 ? T(0) : dy[i];
}

}  // namespace alexnet::reference
