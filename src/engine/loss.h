// SPDX-License-Identifier: MIT
// Cross-entropy of the softmax of one image's logits, with its gradient.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/host_device.h"

namespace alexnet {

// A NaN counts as larger than all else, as in PyTorch.
template <class T>
ALEXNET_HOST_DEVICE bool IsLarger(T value, T than) {
  return value > than || (value != value && than == than);
}

// The first of the largest values.
template <class T>
ALEXNET_HOST_DEVICE int64_t ArgMax(std::span<const T> values) {
  size_t best = 0;
  for (size_t i = 1; i < values.size(); ++i) {
    if (IsLarger(values[i], values[best])) best = i;
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

// t·(log Σ exp(z) − z). A class without weight adds nothing, whatever its
// logit.
template <class T>
ALEXNET_HOST_DEVICE double LossTerm(double t, double log_sum, T z) {
  return t == 0 ? 0 : t * (log_sum - static_cast<double>(z));
}

// scale·(Σt·softmax(z) − t), with `total` = Σt.
template <class T>
ALEXNET_HOST_DEVICE double LogitGradient(double t, double total, double log_sum,
                                         T z, double scale) {
  const double softmax = std::exp(static_cast<double>(z) - log_sum);
  return scale * (total * softmax - t);
}

// The sum of LossTerm and each LogitGradient, where target(c) gives t.
// `gradient` may be empty, when it is not wanted. Sums are double.
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
    loss += LossTerm(t, log_sum, logits[c]);
  }
  for (size_t c = 0; c < gradient.size(); ++c) {
    gradient[c] = static_cast<G>(
        LogitGradient(target(c), total, log_sum, logits[c], scale));
  }
  return loss;
}

// t = 1 for the label, else 0; smoothed, (1 − ε)·t + ε/classes.
struct LabelTarget {
  ALEXNET_HOST_DEVICE LabelTarget(int32_t label, size_t classes,
                                  double smoothing)
      : truth(static_cast<size_t>(label)),
        share(smoothing / static_cast<double>(classes)),
        of_truth(1 - smoothing + share) {}
  ALEXNET_HOST_DEVICE double operator()(size_t c) const {
    return c == truth ? of_truth : share;
  }
  size_t truth;
  double share;
  double of_truth;
};

// t is the class's probability, smoothed in the same way.
struct SoftTarget {
  ALEXNET_HOST_DEVICE SoftTarget(std::span<const float> of_classes,
                                 double smoothing)
      : probabilities(of_classes),
        share(smoothing / static_cast<double>(of_classes.size())),
        rest(1 - smoothing) {}
  ALEXNET_HOST_DEVICE double operator()(size_t c) const {
    return rest * static_cast<double>(probabilities[c]) + share;
  }
  std::span<const float> probabilities;
  double share;
  double rest;
};

template <class G, class T>
ALEXNET_HOST_DEVICE double SoftmaxCrossEntropy(std::span<G> gradient,
                                               std::span<const T> logits,
                                               int32_t label, double scale,
                                               double smoothing = 0) {
  const LabelTarget target(label, logits.size(), smoothing);
  return CrossEntropy(gradient, logits, target, scale);
}

template <class G, class T>
ALEXNET_HOST_DEVICE double SoftmaxCrossEntropy(
    std::span<G> gradient, std::span<const T> logits,
    std::span<const float> probabilities, double scale, double smoothing = 0) {
  return CrossEntropy(gradient, logits, SoftTarget(probabilities, smoothing),
                      scale);
}

}  // namespace alexnet
