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

uint64_t HashBytes(std::span<const std::byte> bytes, uint64_t seed);

// Sixteen lower-case digits.
std::string Hex(uint64_t value);

}  // namespace alexnet
