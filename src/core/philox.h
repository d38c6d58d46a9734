// SPDX-License-Identifier: MIT
// Counter-based random numbers: Philox 4×32-10 (Salmon, Moraes, Dror, Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC'11). A number is a pure
// function of key and counter, so there is no state to save and no order to
// keep.
#pragma once

#include <array>
#include <cstdint>

namespace alexnet {

using Philox4 = std::array<uint32_t, 4>;

constexpr Philox4 Philox(Philox4 counter, uint64_t key) {
  uint32_t k0 = static_cast<uint32_t>(key);
  uint32_t k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ k0,
               static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ k1,
               static_cast<uint32_t>(a)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return counter;
}

// Dropout's mask: element `e` (C, H, W order within its image) of image
// `sample` is kept in epoch `epoch` if word e % 4 of
// Philox({e / 4, layer, sample, epoch}, seed) is at least this threshold.
constexpr uint32_t DropoutThreshold(double p) {
  return static_cast<uint32_t>(p * 4294967296.0);
}

constexpr Philox4 DropoutCounter(int64_t element, int64_t layer, int64_t sample,
                                 int64_t epoch) {
  return {static_cast<uint32_t>(element / 4), static_cast<uint32_t>(layer),
          static_cast<uint32_t>(sample), static_cast<uint32_t>(epoch)};
}

}  // namespace alexnet
