// SPDX-License-Identifier: MIT
// A fast 64-bit hash that tells one data set from another. It guards against
// mistakes, not against malice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace alexnet {

// Of bytes that come in parts; only the last may not be a multiple of kWords.
class Hash {
 public:
  static constexpr size_t kWords = 32;  // bytes

  explicit Hash(uint64_t seed);
  void Add(std::span<const std::byte> bytes);
  uint64_t value() const;

 private:
  uint64_t seed_;
  uint64_t size_ = 0;
  std::array<uint64_t, 4> lanes_;
};

uint64_t HashBytes(std::span<const std::byte> bytes, uint64_t seed);

// Of a set of images wherever they lie, given Hash(0) of all their pixels.
std::string ImagesFingerprint(const std::string& name, uint64_t pixels,
                              std::span<const int32_t> labels);

// Sixteen lower-case digits.
std::string Hex(uint64_t value);

}  // namespace alexnet
