// SPDX-License-Identifier: MIT
// Cross-entropy of the softmax of one image's logits, with its gradient.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/host_device.h"

namespace alexnet {

// The first of the largest values. A NaN counts as largest, as in PyTorch.
template <class T>
ALEXNET_HOST_DEVICE int64_t ArgMax(std::span<const T> values) {
  size_t best = 0;
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] > values[best] ||
        (values[i] != values[i] && values[best] == values[best])) {
      best = i;
    }
  }
  return static_cast<int64_t>(best);
}

// log Σ exp(z), with the largest logit taken out first.
template <class T>
ALEXNET_HOST_DEVICE double LogSumExp(std::span<const T> logits) {
  const auto top =
      static_cast<double>(logits[static_cast<size_t>(ArgMax(logits))]);
  double sum = 0;
  for (const T z : logits) sum += std::exp(static_cast<double>(z) - top);
  return top + std::log(sum);
}

// loss = Σ t·(log Σ exp(z) − z);  gradient = scale·(Σt·softmax(z) − t), where
// target(c) gives t. `gradient` may be empty, when it is not wanted. Sums are
// double.
template <class G, class T, class Target>
ALEXNET_HOST_DEVICE double CrossEntropy(std::span<G> gradient,
                                        std::span<const T> logits,
                                        const Target& target, double scale) {
  const double log_sum = LogSumExp(logits);
  double loss = 0;
  double total = 0;
  for (size_t c = 0; c < logits.size(); ++c) {
    const double t = target(c);
    total += t;
    // A class without weight adds nothing, whatever its logit.
    if (t != 0) loss += t * (log_sum - static_cast<double>(logits[c]));
  }
  for (size_t c = 0; c < gradient.size(); ++c) {
    const double softmax = std::exp(static_cast<double>(logits[c]) - log_sum);
    gradient[c] = static_cast<G>(scale * (total * softmax - target(c)));
  }
  return loss;
}

// t = 1 for the label, else 0; smoothed, (1 − ε)·t + ε/classes.
template <class G, class T>
ALEXNET_HOST_DEVICE double SoftmaxCrossEntropy(std::span<G> gradient,
                                               std::span<const T> logits,
                                               int32_t label, double scale,
                                               double smoothing = 0) {
  const auto truth = static_cast<size_t>(label);
  const double share = smoothing / static_cast<double>(logits.size());
  const auto target = [&](size_t c) {
    return c == truth ? 1 - smoothing + share : share;
  };
  return CrossEntropy(gradient, logits, target, scale);
}

template <class G, class T>
ALEXNET_HOST_DEVICE double SoftmaxCrossEntropy(
    std::span<G> gradient, std::span<const T> logits,
    std::span<const float> probabilities, double scale, double smoothing = 0) {
  const double share = smoothing / static_cast<double>(logits.size());
  const auto target = [&](size_t c) {
    return (1 - smoothing) * static_cast<double>(probabilities[c]) + share;
  };
  return CrossEntropy(gradient, logits, target, scale);
}

}  // namespace alexnet
