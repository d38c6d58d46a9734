// SPDX-License-Identifier: MIT
#include "io/float_types.h"

#include <bit>

#include "alexnet/error.h"
#include "io/bytes.h"

namespace alexnet {
namespace {

// 1 sign, 5 exponent (bias 15), 10 fraction bits.
float HalfToFloat(uint16_t half) {
  const auto sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 0x1FU;
  const uint32_t fraction = half & 0x3FFU;
  if (exponent == 31) {  // infinity, NaN
    return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
  }
  if (exponent == 0) {  // zero, subnormal: fraction · 2⁻²⁴ is exact in float32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

template <class Stored, class Convert>
void ConvertAll(std::span<const std::byte> bytes, std::span<float> values,
                Convert convert) {
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = convert(LoadLittle<Stored>(bytes.subspan(i * sizeof(Stored))));
  }
}

}  // namespace

size_t ByteSize(FloatType type) {
  switch (type) {
    case FloatType::kHalf:
    case FloatType::kBfloat16:
      return 2;
    case FloatType::kFloat:
      return 4;
    case FloatType::kDouble:
      return 8;
  }
  throw std::logic_error("unknown FloatType");
}

void ToFloat32(FloatType type, std::span<const std::byte> bytes,
               std::span<float> values) {
  ALEXNET_CHECK(bytes.size() / ByteSize(type) == values.size());
  switch (type) {
    case FloatType::kHalf:
      return ConvertAll<uint16_t>(bytes, values, HalfToFloat);
    case FloatType::kBfloat16:
      return ConvertAll<uint16_t>(bytes, values, [](uint16_t bits) {
        return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
      });
    case FloatType::kFloat:
      return ConvertAll<float>(bytes, values, [](float x) { return x; });
    case FloatType::kDouble:
      return ConvertAll<double>(bytes, values,
                                [](double x) { return static_cast<float>(x); });
  }
}

}  // namespace alexnet
