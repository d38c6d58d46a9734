// SPDX-License-Identifier: MIT
// The optimizers' updates, written once for scalars, SIMD vectors and device
// code, and applied to any tile of a parameter, so that they can run inside the
// backward pass. One function for both forms of SGD, one for both Adams: what
// tells the forms apart is in the coefficients.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "alexnet/engine.h"
#include "core/host_device.h"

namespace alexnet {

// All that one step's update of one parameter needs, worked out in double as
// PyTorch does.
struct UpdateCoefficients {
  bool adam = true;          // else SGD
  float gradient_scale = 1;  // below 1 where the gradient is clipped
  float weight_decay = 0;    // added to the gradient as weight_decay·w
  float keep_average = 0;    // d of the weights' average
  float enter_average = 0;   // 1 − d
  float momentum = 0;        // SGD: v = momentum·v + gradient_in·g
  float gradient_in = 0;     //   lr in Caffe's form, else 1
  float from_momentum = 0;   //   w −= from_momentum·v + from_gradient·g
  float from_gradient = 0;   //   not 0 in Nesterov's form
  float shrink = 1;          // Adam: w·shrink first; below 1 in AdamW
  float beta1 = 0;
  float one_minus_beta1 = 0;
  float beta2 = 0;
  float one_minus_beta2 = 0;
  float step_size = 0;       // lr / (1 − β1ᵗ)
  float inv_sqrt_bias2 = 0;  // 1 / √(1 − β2ᵗ)
  float eps = 0;
};

// One step's update, the same for all parameters.
struct UpdateStep {
  OptimizerSpec optimizer = {};
  int64_t step = 1;  // t, from 1
  double learning_rate = 0;
  double gradient_scale = 1;
  double average_decay = 0;  // 0: no average
};

inline void SetSgd(const UpdateStep& step, double rate, UpdateCoefficients& c) {
  const double momentum = step.optimizer.momentum;
  const bool nesterov = step.optimizer.nesterov;
  const bool caffe = step.optimizer.kind == OptimizerKind::kCaffeSgd;
  const double out = caffe ? 1 : rate;
  c.adam = false;
  c.momentum = static_cast<float>(momentum);
  c.gradient_in = static_cast<float>(caffe ? rate : 1);
  // Nesterov looks one step of momentum ahead: μ·v + (lr or 1)·g for v.
  c.from_momentum = static_cast<float>(nesterov ? out * momentum : out);
  c.from_gradient = static_cast<float>(nesterov ? rate : 0);
}

inline void SetAdam(const UpdateStep& step, double rate,
                    UpdateCoefficients& c) {
  const OptimizerSpec& spec = step.optimizer;
  const auto t = static_cast<double>(step.step);
  const double bias1 = 1 - std::pow(spec.beta1, t);
  const double bias2 = 1 - std::pow(spec.beta2, t);
  c.beta1 = static_cast<float>(spec.beta1);
  c.one_minus_beta1 = static_cast<float>(1 - spec.beta1);
  c.beta2 = static_cast<float>(spec.beta2);
  c.one_minus_beta2 = static_cast<float>(1 - spec.beta2);
  c.step_size = static_cast<float>(rate / bias1);
  c.inv_sqrt_bias2 = static_cast<float>(1 / std::sqrt(bias2));
  c.eps = static_cast<float>(spec.eps);
}

inline UpdateCoefficients MakeCoefficients(const UpdateStep& step,
                                           double lr_multiplier = 1,
                                           double decay_multiplier = 1) {
  const OptimizerKind kind = step.optimizer.kind;
  const double rate = step.learning_rate * lr_multiplier;
  const double decay = step.optimizer.weight_decay * decay_multiplier;
  UpdateCoefficients c;
  c.gradient_scale = static_cast<float>(step.gradient_scale);
  if (kind == OptimizerKind::kAdamW) {
    c.shrink = static_cast<float>(1 - rate * decay);
  } else {
    c.weight_decay = static_cast<float>(decay);
  }
  if (step.average_decay > 0) {
    const auto t = static_cast<double>(step.step);
    // Early averages forget sooner, or they would be of the initial values.
    const double keep = std::min(step.average_decay, (1 + t) / (10 + t));
    c.keep_average = static_cast<float>(keep);
    c.enter_average = static_cast<float>(1 - keep);
  }
  const bool adam =
      kind == OptimizerKind::kAdam || kind == OptimizerKind::kAdamW;
  adam ? SetAdam(step, rate, c) : SetSgd(step, rate, c);
  return c;
}

// How much of a gradient of this norm is left by clipping.
ALEXNET_HOST_DEVICE double ClipScale(double norm, double limit) {
  return limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1;
}

ALEXNET_HOST_DEVICE float Sqrt(float x) { return std::sqrt(x); }

// V is float, or any type with + − · /, a constructor that broadcasts a float
// and a Sqrt(V) that argument-dependent lookup finds.

// g = scale·g + decay·w;  v = momentum·v + gradient_in·g
// w −= from_momentum·v + from_gradient·g
template <class V>
ALEXNET_HOST_DEVICE void SgdUpdate(V& w, V& v, V g,
                                   const UpdateCoefficients& c) {
  g = V(c.gradient_scale) * g + V(c.weight_decay) * w;
  v = V(c.momentum) * v + V(c.gradient_in) * g;
  w = w - (V(c.from_momentum) * v + V(c.from_gradient) * g);
}

// g = scale·g + decay·w;  m = β1·m + (1−β1)·g;  v = β2·v + (1−β2)·g²
// w = shrink·w − step_size · m / (√v·inv_sqrt_bias2 + eps)
template <class V>
ALEXNET_HOST_DEVICE void AdamUpdate(V& w, V& m, V& v, V g,
                                    const UpdateCoefficients& c) {
  g = V(c.gradient_scale) * g + V(c.weight_decay) * w;
  m = V(c.beta1) * m + V(c.one_minus_beta1) * g;
  v = V(c.beta2) * v + V(c.one_minus_beta2) * g * g;
  const V denominator = Sqrt(v) * V(c.inv_sqrt_bias2) + V(c.eps);
  w = V(c.shrink) * w - V(c.step_size) * m / denominator;
}

// a = d·a + (1−d)·w
template <class V>
ALEXNET_HOST_DEVICE void AverageUpdate(V& a, V w, const UpdateCoefficients& c) {
  a = V(c.keep_average) * a + V(c.enter_average) * w;
}

// Consecutive values of one parameter with what is kept for each.
struct ParameterTile {
  float* w = nullptr;
  float* m = nullptr;        // Adam's first moment, SGD's velocity
  float* v = nullptr;        // null for SGD
  float* average = nullptr;  // null if there is none
};

ALEXNET_HOST_DEVICE ParameterTile At(const ParameterTile& tile, int64_t i) {
  return {tile.w + i, tile.m + i, tile.v ? tile.v + i : nullptr,
          tile.average ? tile.average + i : nullptr};
}

// A tile of n values, from the cache: the average in a loop of its own, so
// that the others do not slow down for it.
ALEXNET_HOST_DEVICE void UpdateTile(const ParameterTile& tile, const float* g,
                                    int64_t n, const UpdateCoefficients& c) {
  float* __restrict w = tile.w;
  float* __restrict m = tile.m;
  float* __restrict v = tile.v;
  if (c.adam) {
    for (int64_t i = 0; i < n; ++i) AdamUpdate(w[i], m[i], v[i], g[i], c);
  } else {
    for (int64_t i = 0; i < n; ++i) SgdUpdate(w[i], m[i], g[i], c);
  }
  float* __restrict average = tile.average;
  if (average == nullptr) return;
  for (int64_t i = 0; i < n; ++i) AverageUpdate(average[i], w[i], c);
}

}  // namespace alexnet
