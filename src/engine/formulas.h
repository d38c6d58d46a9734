// SPDX-License-Identifier: MIT
// Element-wise formulas, written once: the reference engine and the CUDA
// engine compute with these very lines, so that tests of the one test both.
#pragma once

#include <cmath>
#include <cstdint>

#include "alexnet/model.h"
#include "core/host_device.h"
#include "core/philox.h"

namespace alexnet {

// A NaN stays one.
template <class T>
ALEXNET_HOST_DEVICE T Relu(T x) {
  return x < 0 ? T(0) : x;
}

// dx = 0 where y ≤ 0, else dy.
template <class T>
ALEXNET_HOST_DEVICE T ReluGradient(T dy, T y) {
  return y <= 0 ? T(0) : dy;
}

// Whether a later value of a window replaces the best so far: the first of
// equals stays, a NaN beats everything.
template <class T>
ALEXNET_HOST_DEVICE bool WinsPooling(T candidate, T best) {
  return candidate > best || candidate != candidate;
}

// x as ToTensor and Normalize make it of a byte.
ALEXNET_HOST_DEVICE float Normalised(uint8_t byte, float mean, float std) {
  return (static_cast<float>(byte) / 255.0F - mean) / std;
}

// Which mask of one image.
struct DropoutMask {
  double p = 0;
  uint64_t seed = 0;
  int64_t layer = 0;
  int64_t sample = 0;
  int64_t epoch = 0;
};

// Elements e … e + 3 in C, H, W order, with e a multiple of four, from one
// draw.
ALEXNET_HOST_DEVICE void DropoutKeepsFour(const DropoutMask& mask, int64_t e,
                                          bool (&keep)[4]) {
  const Philox4 words =
      Philox(DropoutCounter(e, mask.layer, mask.sample, mask.epoch), mask.seed);
  for (size_t i = 0; i < 4; ++i) {
    keep[i] = words[i] >= DropoutThreshold(mask.p);
  }
}

// Any one.
ALEXNET_HOST_DEVICE bool DropoutKeeps(const DropoutMask& mask, int64_t e) {
  bool keep[4];
  DropoutKeepsFour(mask, e - e % 4, keep);
  return keep[e % 4];
}

// What a channel adds to gradients of response normalisation.
template <class T>
struct NormShare {
  T own;     // dy·scale^−beta, to its own
  T others;  // dy·x·scale^(−beta − 1), to each whose value is in its window
};

// Local response normalisation at one pixel. x(c) and dy(c) give a channel's
// value.
template <class T>
struct NormFormula {
  NormFormula(const LocalResponseNormSpec& norm, int64_t all_channels)
      : before(norm.size / 2),
        after((norm.size - 1) / 2),
        channels(all_channels),
        k(static_cast<T>(norm.k)),
        alpha(static_cast<T>(norm.alpha / static_cast<double>(norm.size))),
        beta(static_cast<T>(norm.beta)),
        factor(static_cast<T>(2 * norm.alpha * norm.beta /
                              static_cast<double>(norm.size))) {}

  // scale[c] = k + alpha/size · Σ x[c']²
  template <class X>
  ALEXNET_HOST_DEVICE T Scale(int64_t c, const X& x) const {
    T sum = 0;
    for (int64_t i = First(c - before); i <= Last(c + after); ++i) {
      sum += x(i) * x(i);
    }
    return k + alpha * sum;
  }

  template <class X>
  ALEXNET_HOST_DEVICE T Forward(int64_t c, const X& x) const {
    return x(c) * std::pow(Scale(c, x), -beta);
  }

  // The channels d whose window holds c: a window reaches `before` down and
  // `after` up, so d lies from c − after to c + before.
  template <class X, class Dy>
  ALEXNET_HOST_DEVICE T Backward(int64_t c, const X& x, const Dy& dy) const {
    const auto others = [&](int64_t d) { return Share(d, x, dy(d)).others; };
    return Gradient(c, x, Share(c, x, dy(c)).own, others);
  }

  // The two parts of Backward: what channel d, with its gradient, has for
  // itself and for the others, …
  template <class X>
  ALEXNET_HOST_DEVICE NormShare<T> Share(int64_t d, const X& x, T dy) const {
    const T scale = Scale(d, x);
    const T power = std::pow(scale, -beta);
    return {dy * power, dy * x(d) * power / scale};
  }

  // … and what they all have for channel c.
  template <class X, class Others>
  ALEXNET_HOST_DEVICE T Gradient(int64_t c, const X& x, T own,
                                 const Others& others) const {
    T sum = 0;
    for (int64_t d = First(c - after); d <= Last(c + before); ++d) {
      sum += others(d);
    }
    return own - factor * x(c) * sum;
  }

  ALEXNET_HOST_DEVICE int64_t First(int64_t c) const { return c < 0 ? 0 : c; }
  ALEXNET_HOST_DEVICE int64_t Last(int64_t c) const {
    return c < channels ? c : channels - 1;
  }

  int64_t before;  // channels of the window below its own
  int64_t after;   // and above
  int64_t channels;
  T k;
  T alpha;
  T beta;
  T factor;
};

// Response normalisation within one channel of H×W. x(h, w), dy(h, w) and
// u(h, w) give a value at a place.
template <class T>
struct MapNormFormula {
  MapNormFormula(const MapResponseNormSpec& norm, const Shape3& shape)
      : reach(norm.size / 2),
        height(shape.height),
        width(shape.width),
        k(static_cast<T>(norm.k)),
        alpha(static_cast<T>(norm.alpha /
                             static_cast<double>(norm.size * norm.size))),
        beta(static_cast<T>(norm.beta)),
        factor(static_cast<T>(2 * norm.alpha * norm.beta /
                              static_cast<double>(norm.size * norm.size))) {}

  // Σ term(y, x) over the window around (h, w); the size is odd, so that these
  // are also the places whose window holds (h, w).
  template <class Term>
  ALEXNET_HOST_DEVICE T Sum(int64_t h, int64_t w, const Term& term) const {
    const int64_t top = h < reach ? 0 : h - reach;
    const int64_t left = w < reach ? 0 : w - reach;
    T sum = 0;
    for (int64_t y = top; y <= h + reach && y < height; ++y) {
      for (int64_t x = left; x <= w + reach && x < width; ++x) {
        sum += term(y, x);
      }
    }
    return sum;
  }

  // scale[p] = k + alpha/size² · Σ x[q]²
  template <class X>
  ALEXNET_HOST_DEVICE T Scale(int64_t h, int64_t w, const X& x) const {
    const auto square = [&](int64_t i, int64_t j) { return x(i, j) * x(i, j); };
    return k + alpha * Sum(h, w, square);
  }

  template <class X>
  ALEXNET_HOST_DEVICE T Forward(int64_t h, int64_t w, const X& x) const {
    return x(h, w) * std::pow(Scale(h, w, x), -beta);
  }

  // u[p] = dy[p]·scale[p]^(−beta−1): all that the backward pass needs of dy,
  // which it may replace.
  template <class X, class Dy>
  ALEXNET_HOST_DEVICE T Scaled(int64_t h, int64_t w, const X& x,
                               const Dy& dy) const {
    const T scale = Scale(h, w, x);
    return dy(h, w) * std::pow(scale, -beta) / scale;
  }

  // dx[p] = u[p]·scale[p] − 2·alpha·beta/size² · x[p] · Σ u[q]·x[q]
  template <class X, class U>
  ALEXNET_HOST_DEVICE T Backward(int64_t h, int64_t w, const X& x,
                                 const U& u) const {
    const auto product = [&](int64_t i, int64_t j) {
      return u(i, j) * x(i, j);
    };
    return u(h, w) * Scale(h, w, x) - factor * x(h, w) * Sum(h, w, product);
  }

  int64_t reach;
  int64_t height;
  int64_t width;
  T k;
  T alpha;
  T beta;
  T factor;
};

}  // namespace alexnet
