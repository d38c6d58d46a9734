// SPDX-License-Identifier: MIT
#include "data/fingerprint.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace alexnet {
namespace {

constexpr uint64_t kPrime = 0x9E3779B97F4A7C15;

// One to one in both arguments, so that no single change goes unseen.
uint64_t Mix(uint64_t state, uint64_t word) {
  return std::rotl((state ^ word) * kPrime, 29);
}

}  // namespace

// Four independent lanes, since a multiplication takes three or four cycles.
uint64_t HashBytes(std::span<const std::byte> bytes, uint64_t seed) {
  std::array<uint64_t, 4> lanes = {seed ^ 1, seed ^ 2, seed ^ 3, seed ^ 4};
  const size_t size = bytes.size();
  for (size_t at = 0; at < size; at += sizeof(lanes)) {
    std::array<uint64_t, 4> words = {};
    std::memcpy(words.data(), bytes.data() + at,
                std::min(sizeof(words), size - at));
    for (size_t i = 0; i < lanes.size(); ++i) {
      lanes[i] = Mix(lanes[i], words[i]);
    }
  }
  uint64_t hash = Mix(seed, size);
  for (const uint64_t lane : lanes) hash = Mix(hash, lane);
  return Mix(hash ^ (hash >> 32), kPrime);
}

std::string Hex(uint64_t value) {
  std::string digits(16, '0');
  for (size_t i = digits.size(); i-- > 0; value >>= 4) {
    digits[i] = "0123456789abcdef"[value & 15];
  }
  return digits;
}

}  // namespace alexnet
