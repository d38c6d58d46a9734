// SPDX-License-Identifier: MIT
#include "data/fingerprint.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "alexnet/error.h"

namespace alexnet {
namespace {

constexpr uint64_t kPrime = 0x9E3779B97F4A7C15;

// One to one in both arguments, so that no single change goes unseen.
uint64_t Mix(uint64_t state, uint64_t word) {
  return std::rotl((state ^ word) * kPrime, 29);
}

}  // namespace

// Four independent lanes, since a multiplication takes three or four cycles.
Hash::Hash(uint64_t seed)
    : seed_(seed), lanes_{seed ^ 1, seed ^ 2, seed ^ 3, seed ^ 4} {}

void Hash::Add(std::span<const std::byte> bytes) {
  ALEXNET_CHECK(size_ % kWords == 0);
  const size_t size = bytes.size();
  for (size_t at = 0; at < size; at += kWords) {
    std::array<uint64_t, 4> words = {};
    static_assert(sizeof(words) == kWords);
    std::memcpy(words.data(), bytes.data() + at, std::min(kWords, size - at));
    for (size_t i = 0; i < lanes_.size(); ++i) {
      lanes_[i] = Mix(lanes_[i], words[i]);
    }
  }
  size_ += size;
}

uint64_t Hash::value() const {
  uint64_t hash = Mix(seed_, size_);
  for (const uint64_t lane : lanes_) hash = Mix(hash, lane);
  return Mix(hash ^ (hash >> 32), kPrime);
}

uint64_t HashBytes(std::span<const std::byte> bytes, uint64_t seed) {
  Hash hash(seed);
  hash.Add(bytes);
  return hash.value();
}

std::string ImagesFingerprint(const std::string& name, uint64_t pixels,
                              std::span<const int32_t> labels) {
  return Concat(name, ":", labels.size(), ":",
                Hex(HashBytes(std::as_bytes(labels), pixels)));
}

std::string Hex(uint64_t value) {
  std::string digits(16, '0');
  for (size_t i = digits.size(); i-- > 0; value >>= 4) {
    digits[i] = "0123456789abcdef"[value & 15];
  }
  return digits;
}

}  // namespace alexnet
