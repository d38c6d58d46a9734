// SPDX-License-Identifier: MIT
// Max pooling of one image: x is C×H×W, y C×P×Q.
#pragma once

#include <algorithm>
#include <cstdint>

#include "alexnet/model.h"
#include "engine/formulas.h"

namespace alexnet::reference {

// y[c,p,q] = max x[c,h,w] over the window's part inside the image;
// argmax[c,p,q] = h·W + w of the first largest, or of the last NaN.
template <class T>
void MaxPool2dForward(T* y, int32_t* argmax, const Shape3& y_shape, const T* x,
                      const Shape3& x_shape, const MaxPool2dSpec& pool) {
  for (int64_t c = 0; c < y_shape.channels; ++c) {
    const T* plane = x + c * x_shape.height * x_shape.width;
    for (int64_t p = 0; p < y_shape.height; ++p) {
      const int64_t h0 = p * pool.stride.height - pool.padding.top;
      const int64_t h1 = std::min(h0 + pool.kernel.height, x_shape.height);
      for (int64_t q = 0; q < y_shape.width; ++q) {
        const int64_t w0 = q * pool.stride.width - pool.padding.left;
        const int64_t w1 = std::min(w0 + pool.kernel.width, x_shape.width);
        int64_t best =
            std::max<int64_t>(h0, 0) * x_shape.width + std::max<int64_t>(w0, 0);
        for (int64_t h = std::max<int64_t>(h0, 0); h < h1; ++h) {
          for (int64_t w = std::max<int64_t>(w0, 0); w < w1; ++w) {
            const int64_t at = h * x_shape.width + w;
            if (WinsPooling(plane[at], plane[best])) best = at;
          }
        }
        *y++ = plane[best];
        *argmax++ = static_cast<int32_t>(best);
      }
    }
  }
}

// dx[c, argmax[c,p,q]] = Σ dy[c,p,q], 0 elsewhere.
template <class T>
void MaxPool2dBackward(T* dx, const Shape3& x_shape, const T* dy,
                       const int32_t* argmax, const Shape3& y_shape) {
  for (int64_t i = 0; i < x_shape.elements(); ++i) dx[i] = 0;
  const int64_t x_area = x_shape.height * x_shape.width;
  const int64_t y_area = y_shape.height * y_shape.width;
  for (int64_t i = 0; i < y_shape.elements(); ++i) {
    dx[i / y_area * x_area + argmax[i]] += dy[i];
  }
}

}  // namespace alexnet::reference
