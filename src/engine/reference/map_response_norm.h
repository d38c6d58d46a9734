// SPDX-License-Identifier: MIT
// Normalisation over the neighbours within each channel, for one image, C×H×W.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "alexnet/model.h"

namespace alexnet::reference {

// Calls visit(q) for the indices of one channel's H×W around (h, w); size is
// odd, so that they are also those whose window holds (h, w).
template <class Visit>
void ForEachNeighbour(const Shape3& shape, int64_t size, int64_t h, int64_t w,
                      const Visit& visit) {
  const int64_t reach = size / 2;
  const int64_t top = std::max<int64_t>(0, h - reach);
  const int64_t left = std::max<int64_t>(0, w - reach);
  for (int64_t y = top; y <= std::min(shape.height - 1, h + reach); ++y) {
    for (int64_t x = left; x <= std::min(shape.width - 1, w + reach); ++x) {
      visit(y * shape.width + x);
    }
  }
}

// scale[p] = k + alpha/size² · Σ x[q]² over the window around p
template <class T>
T MapNormScale(const T* x, const Shape3& shape, int64_t h, int64_t w,
               const MapResponseNormSpec& norm) {
  const auto area = static_cast<double>(norm.size * norm.size);
  T sum = 0;
  ForEachNeighbour(shape, norm.size, h, w,
                   [&](int64_t q) { sum += x[q] * x[q]; });
  return static_cast<T>(norm.k) + static_cast<T>(norm.alpha / area) * sum;
}

// y[p] = x[p] · scale[p]^−beta
template <class T>
void MapNormForward(T* y, const T* x, const Shape3& shape,
                    const MapResponseNormSpec& norm) {
  const int64_t area = shape.height * shape.width;
  for (int64_t c = 0; c < shape.channels; ++c, x += area, y += area) {
    for (int64_t h = 0; h < shape.height; ++h) {
      for (int64_t w = 0; w < shape.width; ++w) {
        const int64_t p = h * shape.width + w;
        const T scale = MapNormScale(x, shape, h, w, norm);
        y[p] = x[p] * std::pow(scale, -static_cast<T>(norm.beta));
      }
    }
  }
}

// dx[p] = dy[p]·scale[p]^−beta
//         − 2·alpha·beta/size² · x[p] · Σ dy[q]·x[q]·scale[q]^(−beta−1)
// with q over the window around p.
template <class T>
void MapNormBackward(T* dx, const T* dy, const T* x, const Shape3& shape,
                     const MapResponseNormSpec& norm) {
  const int64_t area = shape.height * shape.width;
  const T factor = static_cast<T>(2 * norm.alpha * norm.beta /
                                  static_cast<double>(norm.size * norm.size));
  std::fill_n(dx, shape.elements(), T(0));
  for (int64_t c = 0; c < shape.channels; ++c) {
    for (int64_t h = 0; h < shape.height; ++h) {
      for (int64_t w = 0; w < shape.width; ++w) {
        const int64_t q = h * shape.width + w;
        const T scale = MapNormScale(x, shape, h, w, norm);
        const T power = std::pow(scale, -static_cast<T>(norm.beta));
        const T cross = factor * dy[q] * x[q] * power / scale;
        dx[q] += dy[q] * power;
        ForEachNeighbour(shape, norm.size, h, w,
                         [&](int64_t p) { dx[p] -= cross * x[p]; });
      }
    }
    dx += area;
    dy += area;
    x += area;
  }
}

}  // namespace alexnet::reference
