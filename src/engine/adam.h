// SPDX-License-Identifier: MIT
// The Adam update, written once for scalars, SIMD vectors and device code, and
// applied to any tile of a parameter, so that it can run inside the backward
// pass.
#pragma once

#include <cmath>
#include <cstdint>

#include "alexnet/engine.h"
#include "core/host_device.h"

namespace alexnet {

// All that one step's update of one parameter needs, worked out in double as
// PyTorch does.
struct AdamCoefficients {
  float beta1 = 0;
  float one_minus_beta1 = 0;
  float beta2 = 0;
  float one_minus_beta2 = 0;
  float step_size = 0;       // lr / (1 − β1ᵗ)
  float inv_sqrt_bias2 = 0;  // 1 / √(1 − β2ᵗ)
  float eps = 0;
  float weight_decay = 0;
};

// `step` is Adam's t, from 1. The multipliers are the parameter's own, as in
// Caffe's lr_mult and decay_mult.
inline AdamCoefficients MakeAdamCoefficients(const AdamSpec& spec, int64_t step,
                                             double learning_rate,
                                             double lr_multiplier = 1,
                                             double decay_multiplier = 1) {
  const auto t = static_cast<double>(step);
  const double bias1 = 1 - std::pow(spec.beta1, t);
  const double bias2 = 1 - std::pow(spec.beta2, t);
  AdamCoefficients c;
  c.beta1 = static_cast<float>(spec.beta1);
  c.one_minus_beta1 = static_cast<float>(1 - spec.beta1);
  c.beta2 = static_cast<float>(spec.beta2);
  c.one_minus_beta2 = static_cast<float>(1 - spec.beta2);
  c.step_size = static_cast<float>(learning_rate * lr_multiplier / bias1);
  c.inv_sqrt_bias2 = static_cast<float>(1 / std::sqrt(bias2));
  c.eps = static_cast<float>(spec.eps);
  c.weight_decay = static_cast<float>(spec.weight_decay * decay_multiplier);
  return c;
}

ALEXNET_HOST_DEVICE float Sqrt(float x) { return std::sqrt(x); }

// g += decay·w;  m = β1·m + (1−β1)·g;  v = β2·v + (1−β2)·g²
// w −= step_size · m / (√v·inv_sqrt_bias2 + eps)
// V is float, or any type with + − · /, a constructor that broadcasts a float
// and a Sqrt(V) that argument-dependent lookup finds.
template <class V>
ALEXNET_HOST_DEVICE void AdamUpdate(V& w, V& m, V& v, V g,
                                    const AdamCoefficients& c) {
  g = g + V(c.weight_decay) * w;
  m = V(c.beta1) * m + V(c.one_minus_beta1) * g;
  v = V(c.beta2) * v + V(c.one_minus_beta2) * g * g;
  const V denominator = Sqrt(v) * V(c.inv_sqrt_bias2) + V(c.eps);
  w = w - V(c.step_size) * m / denominator;
}

// A tile of n consecutive values of one parameter.
inline void AdamUpdateTile(float* w, float* m, float* v, const float* g,
                           int64_t n, const AdamCoefficients& c) {
  for (int64_t i = 0; i < n; ++i) AdamUpdate(w[i], m[i], v[i], g[i], c);
}

}  // namespace alexnet
