// SPDX-License-Identifier: MIT
// A fully connected layer for one image. x has `in` values, y `out`, w is
// out × in.
#pragma once

#include <cstdint>

#include "alexnet/model.h"

namespace alexnet::reference {

// y[o] = b[o] + Σ_i x[i]·w[o,i]
template <class T>
void LinearForward(T* y, const T* x, const T* w, const T* b,
                   const LinearSpec& linear) {
  for (int64_t o = 0; o < linear.out_features; ++o) {
    const T* row = w + o * linear.in_features;
    T sum = b[o];
    for (int64_t i = 0; i < linear.in_features; ++i) sum += x[i] * row[i];
    y[o] = sum;
  }
}

// dx[i] = Σ_o dy[o]·w[o,i], null when not wanted;  dw[o,i] += dy[o]·x[i];
// db[o] += dy[o].
template <class T>
void LinearBackward(T* dx, T* dw, T* db, const T* dy, const T* x, const T* w,
                    const LinearSpec& linear) {
  const int64_t in = linear.in_features;
  for (int64_t o = 0; o < linear.out_features; ++o) {
    db[o] += dy[o];
    for (int64_t i = 0; i < in; ++i) dw[o * in + i] += dy[o] * x[i];
  }
  if (dx == nullptr) return;
  for (int64_t i = 0; i < in; ++i) dx[i] = 0;
  for (int64_t o = 0; o < linear.out_features; ++o) {
    for (int64_t i = 0; i < in; ++i) dx[i] += dy[o] * w[o * in + i];
  }
}

}  // namespace alexnet::reference
