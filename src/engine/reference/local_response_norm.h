// SPDX-License-Identifier: MIT
// Normalisation across neighbouring channels for one image, C×H×W.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "alexnet/model.h"

namespace alexnet::reference {

// The channels c' whose squares y[c] depends on: first … last.
struct ChannelRange {
  int64_t first;
  int64_t last;
};

inline ChannelRange NormWindow(int64_t c, int64_t channels, int64_t size) {
  return {std::max<int64_t>(0, c - size / 2),
          std::min(channels - 1, c + (size - 1) / 2)};
}

// scale[c] = k + alpha/size · Σ x[c']², of one pixel; channels `step` apart.
template <class T>
T NormScale(const T* x, int64_t step, int64_t c, int64_t channels,
            const LocalResponseNormSpec& norm) {
  const ChannelRange window = NormWindow(c, channels, norm.size);
  T sum = 0;
  for (int64_t i = window.first; i <= window.last; ++i) {
    sum += x[i * step] * x[i * step];
  }
  return static_cast<T>(norm.k) +
         static_cast<T>(norm.alpha / static_cast<double>(norm.size)) * sum;
}

// y[c] = x[c] · scale[c]^−beta
template <class T>
void LrnForward(T* y, const T* x, const Shape3& shape,
                const LocalResponseNormSpec& norm) {
  const int64_t area = shape.height * shape.width;
  const T beta = static_cast<T>(norm.beta);
  for (int64_t c = 0; c < shape.channels; ++c) {
    for (int64_t i = 0; i < area; ++i) {
      const T scale = NormScale(x + i, area, c, shape.channels, norm);
      y[c * area + i] = x[c * area + i] * std::pow(scale, -beta);
    }
  }
}

// dx[c] = dy[c]·scale[c]^−beta
//         − 2·alpha·beta/size · x[c] · Σ dy[d]·x[d]·scale[d]^(−beta−1)
// with d over the channels whose window holds c.
template <class T>
void LrnBackward(T* dx, const T* dy, const T* x, const Shape3& shape,
                 const LocalResponseNormSpec& norm) {
  const int64_t area = shape.height * shape.width;
  const T beta = static_cast<T>(norm.beta);
  const T factor = static_cast<T>(2 * norm.alpha * norm.beta /
                                  static_cast<double>(norm.size));
  for (int64_t i = 0; i < shape.elements(); ++i) dx[i] = 0;
  for (int64_t i = 0; i < area; ++i) {
    for (int64_t d = 0; d < shape.channels; ++d) {
      const int64_t at = d * area + i;
      const T scale = NormScale(x + i, area, d, shape.channels, norm);
      const T power = std::pow(scale, -beta);
      const T cross = factor * dy[at] * x[at] * power / scale;
      dx[at] += dy[at] * power;
      const ChannelRange window = NormWindow(d, shape.channels, norm.size);
      for (int64_t c = window.first; c <= window.last; ++c) {
        dx[c * area + i] -= cross * x[c * area + i];
      }
    }
  }
}

}  // namespace alexnet::reference
