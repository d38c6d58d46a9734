// SPDX-License-Identifier: MIT
// The floating-point types of weight files, and their way to float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace alexnet {

enum class FloatType : uint8_t { kHalf, kBfloat16, kFloat, kDouble };

size_t ByteSize(FloatType type);

// `bytes` is little-endian and has values.size() · ByteSize(type) of them, at
// any alignment. A double beyond float32's range becomes an infinity.
void ToFloat32(FloatType type, std::span<const std::byte> bytes,
               std::span<float> values);

}  // namespace alexnet
