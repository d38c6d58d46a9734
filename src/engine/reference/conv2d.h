// SPDX-License-Identifier: MIT
// Convolution of one image, as the formula says and no faster. x is C×H×W,
// y K×P×Q, w K×(C/groups)×R×S, b K.
#pragma once

#include <cstdint>

#include "alexnet/model.h"

namespace alexnet::reference {

// Calls visit(y's index, x's index, w's index) for every product of the sum
// whose x is inside the image, output by output.
template <class Visit>
void ForEachConvProduct(const Conv2dSpec& conv, const Shape3& x,
                        const Shape3& y, const Visit& visit) {
  const int64_t k_group = conv.out_channels / conv.groups;
  const int64_t c_group = conv.in_channels / conv.groups;
  for (int64_t k = 0; k < y.channels; ++k) {
    for (int64_t p = 0; p < y.height; ++p) {
      for (int64_t q = 0; q < y.width; ++q) {
        const int64_t y_at = (k * y.height + p) * y.width + q;
        for (int64_t c = 0; c < c_group; ++c) {
          const int64_t x_channel = k / k_group * c_group + c;
          for (int64_t r = 0; r < conv.kernel.height; ++r) {
            const int64_t h = p * conv.stride.height + r - conv.padding.top;
            if (h < 0 || h >= x.height) continue;
            for (int64_t s = 0; s < conv.kernel.width; ++s) {
              const int64_t v = q * conv.stride.width + s - conv.padding.left;
              if (v < 0 || v >= x.width) continue;
              visit(y_at, (x_channel * x.height + h) * x.width + v,
                    ((k * c_group + c) * conv.kernel.height + r) *
                            conv.kernel.width +
                        s);
            }
          }
        }
      }
    }
  }
}

// y[k,p,q] = b[k] + Σ_{c,r,s} x[c, p·stride+r−top, q·stride+s−left]·w[k,c,r,s]
template <class T>
void Conv2dForward(T* y, const Shape3& y_shape, const T* x,
                   const Shape3& x_shape, const T* w, const T* b,
                   const Conv2dSpec& conv) {
  const int64_t area = y_shape.height * y_shape.width;
  for (int64_t i = 0; i < y_shape.elements(); ++i) y[i] = b[i / area];
  ForEachConvProduct(conv, x_shape, y_shape,
                     [&](int64_t y_at, int64_t x_at, int64_t w_at) {
                       y[y_at] += x[x_at] * w[w_at];
                     });
}

// dx = Σ dy·w over the products that x is part of; null when not wanted.
// dw += Σ dy·x;  db[k] += Σ_{p,q} dy[k,p,q].
template <class T>
void Conv2dBackward(T* dx, T* dw, T* db, const T* dy, const Shape3& y_shape,
                    const T* x, const Shape3& x_shape, const T* w,
                    const Conv2dSpec& conv) {
  const int64_t area = y_shape.height * y_shape.width;
  for (int64_t i = 0; i < y_shape.elements(); ++i) db[i / area] += dy[i];
  ForEachConvProduct(conv, x_shape, y_shape,
                     [&](int64_t y_at, int64_t x_at, int64_t w_at) {
                       dw[w_at] += dy[y_at] * x[x_at];
                     });
  if (dx == nullptr) return;
  for (int64_t i = 0; i < x_shape.elements(); ++i) dx[i] = 0;
  ForEachConvProduct(conv, x_shape, y_shape,
                     [&](int64_t y_at, int64_t x_at, int64_t w_at) {
                       dx[x_at] += dy[y_at] * w[w_at];
                     });
}

}  // namespace alexnet::reference
