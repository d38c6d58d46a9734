// SPDX-License-Identifier: MIT
// Arithmetic on sizes from files, which must not wrap.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace alexnet {

// The product of `shape`, 1 of an empty one; nothing if an extent is negative
// or the product does not fit.
inline std::optional<int64_t> CheckedElements(std::span<const int64_t> shape) {
  int64_t elements = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(elements, extent, &elements)) {
      return std::nullopt;
    }
  }
  return elements;
}

}  // namespace alexnet
