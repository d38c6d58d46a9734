// SPDX-License-Identifier: MIT
// Normalisation across neighbouring channels for one image, C×H×W; the
// formulas are in formulas.h.
#pragma once

#include <cstdint>

#include "alexnet/model.h"
#include "engine/formulas.h"

namespace alexnet::reference {

// y[c] = x[c] · scale[c]^−beta
template <class T>
void LrnForward(T* y, const T* x, const Shape3& shape,
                const LocalResponseNormSpec& spec) {
  const int64_t area = shape.height * shape.width;
  const NormFormula<T> norm(spec, shape.channels);
  for (int64_t i = 0; i < area; ++i) {
    const auto x_at = [&](int64_t c) { return x[c * area + i]; };
    for (int64_t c = 0; c < shape.channels; ++c) {
      y[c * area + i] = norm.Forward(c, x_at);
    }
  }
}

// dx[c] = dy[c]·scale[c]^−beta
//         − 2·alpha·beta/size · x[c] · Σ dy[d]·x[d]·scale[d]^(−beta−1)
// with d over the channels whose window holds c.
template <class T>
void LrnBackward(T* dx, const T* dy, const T* x, const Shape3& shape,
                 const LocalResponseNormSpec& spec) {
  const int64_t area = shape.height * shape.width;
  const NormFormula<T> norm(spec, shape.channels);
  for (int64_t i = 0; i < area; ++i) {
    const auto x_at = [&](int64_t c) { return x[c * area + i]; };
    const auto dy_at = [&](int64_t c) { return dy[c * area + i]; };
    for (int64_t c = 0; c < shape.channels; ++c) {
      dx[c * area + i] = norm.Backward(c, x_at, dy_at);
    }
  }
}

}  // namespace alexnet::reference
