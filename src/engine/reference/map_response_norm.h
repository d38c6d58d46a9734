// SPDX-License-Identifier: MIT
// Normalisation over the neighbours within each channel, for one image, C×H×W;
// the formulas are in formulas.h.
#pragma once

#include <cstdint>
#include <vector>

#include "alexnet/model.h"
#include "engine/formulas.h"

namespace alexnet::reference {

// Calls visit(h, w, index) for every place of one channel's H×W.
template <class Visit>
void ForEachPlace(const Shape3& shape, const Visit& visit) {
  for (int64_t h = 0; h < shape.height; ++h) {
    for (int64_t w = 0; w < shape.width; ++w) {
      visit(h, w, h * shape.width + w);
    }
  }
}

// y[p] = x[p] · scale[p]^−beta
template <class T>
void MapNormForward(T* y, const T* x, const Shape3& shape,
                    const MapResponseNormSpec& spec) {
  const int64_t area = shape.height * shape.width;
  const MapNormFormula<T> norm(spec, shape);
  for (int64_t c = 0; c < shape.channels; ++c, x += area, y += area) {
    const auto x_at = [&](int64_t h, int64_t w) {
      return x[h * shape.width + w];
    };
    ForEachPlace(shape, [&](int64_t h, int64_t w, int64_t p) {
      y[p] = norm.Forward(h, w, x_at);
    });
  }
}

// dx[p] = dy[p]·scale[p]^−beta
//         − 2·alpha·beta/size² · x[p] · Σ dy[q]·x[q]·scale[q]^(−beta−1)
// with q over the window around p.
template <class T>
void MapNormBackward(T* dx, const T* dy, const T* x, const Shape3& shape,
                     const MapResponseNormSpec& spec) {
  const int64_t area = shape.height * shape.width;
  const MapNormFormula<T> norm(spec, shape);
  std::vector<T> u(static_cast<size_t>(area));
  for (int64_t c = 0; c < shape.channels; ++c) {
    const auto at = [&](const T* values) {
      return [&shape, values](int64_t h, int64_t w) {
        return values[h * shape.width + w];
      };
    };
    ForEachPlace(shape, [&](int64_t h, int64_t w, int64_t p) {
      u[static_cast<size_t>(p)] = norm.Scaled(h, w, at(x), at(dy));
    });
    ForEachPlace(shape, [&](int64_t h, int64_t w, int64_t p) {
      dx[p] = norm.Backward(h, w, at(x), at(u.data()));
    });
    dx += area;
    dy += area;
    x += area;
  }
}

}  // namespace alexnet::reference
