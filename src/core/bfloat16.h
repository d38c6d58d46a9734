// SPDX-License-Identifier: MIT
// bfloat16: the upper half of a float32, so the same range with eight bits of
// precision.
#pragma once

#include <bit>
#include <cstdint>

namespace alexnet {

using Bfloat16 = uint16_t;

inline float FromBfloat16(Bfloat16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

// To the nearest, ties to even; a NaN stays one.
inline Bfloat16 ToBfloat16(float value) {
  if (value != value) return 0x7FC0;
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<Bfloat16>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

}  // namespace alexnet
