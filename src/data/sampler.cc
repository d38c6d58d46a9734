// SPDX-License-Identifier: MIT
// Which images are visited, and in which order.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "alexnet/dataset.h"
#include "alexnet/error.h"
#include "core/torch_random.h"

namespace alexnet {
namespace {

// Keeps the choice of the held-out images apart from the order of the epochs,
// which the same seed decides.
constexpr uint64_t kSplitStream = 0x53504C49;

std::vector<int64_t> Permutation(int64_t n, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  TorchRandom(seed).Permutation(std::span(order));
  return order;
}

}  // namespace

std::vector<int64_t> EpochOrder(int64_t n, bool shuffle, uint64_t seed,
                                int64_t epoch) {
  if (n < 0 || epoch < 0) {
    throw UsageError(Concat("order of epoch ", epoch, " over ", n,
                            " images: neither may be negative"));
  }
  if (shuffle) return Permutation(n, seed + static_cast<uint64_t>(epoch));
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

SplitIndices SplitByFraction(int64_t n, double fraction, uint64_t seed) {
  if (n < 0 || !(fraction >= 0 && fraction < 1)) {
    throw UsageError(Concat("fraction of images to hold out: got ", fraction,
                            ", expected at least 0 and less than 1"));
  }
  const auto held = std::llround(fraction * static_cast<double>(n));
  if (n > 0 && held == n) {
    throw UsageError(Concat("holding out ", fraction, " of ", n,
                            " images leaves none to train on"));
  }
  std::vector<int64_t> order = Permutation(n, seed ^ kSplitStream);
  const auto middle = order.begin() + held;
  SplitIndices split;
  split.validation.assign(order.begin(), middle);
  split.train.assign(middle, order.end());
  std::sort(split.validation.begin(), split.validation.end());
  std::sort(split.train.begin(), split.train.end());
  return split;
}

}  // namespace alexnet
