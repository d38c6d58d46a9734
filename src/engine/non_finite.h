// SPDX-License-Identifier: MIT
// Looks for NaN and infinity.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace alexnet {

// Without branches, so that compilers vectorise it: an exponent of all ones is
// an infinity or a NaN.
inline bool AllFinite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t bad = 0;
  for (const float value : values) {
    const auto exponent = std::bit_cast<uint32_t>(value) & kExponent;
    bad |= static_cast<uint32_t>(exponent == kExponent);
  }
  return bad == 0;
}

}  // namespace alexnet
