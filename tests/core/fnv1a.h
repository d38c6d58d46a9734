// SPDX-License-Identifier: MIT
// The hash that tools/make_data_goldens.py writes down for long values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace alexnet::testing {

inline uint64_t Fnv1a(std::span<const std::byte> bytes,
                      uint64_t value = 0xCBF29CE484222325) {
  for (const std::byte byte : bytes) {
    value = (value ^ static_cast<uint64_t>(byte)) * 0x100000001B3;
  }
  return value;
}

template <class T>
uint64_t Fnv1aOf(const T& values) {
  return Fnv1a(std::as_bytes(std::span(values)));
}

}  // namespace alexnet::testing
