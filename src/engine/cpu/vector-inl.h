// SPDX-License-Identifier: MIT
// kLanes values side by side, as many as a register of the instruction set
// holds; part of the kernels that are compiled per instruction set (see
// kernels-inl.h for the rules).
#pragma once

#include <cstdint>

#include "core/bfloat16.h"

namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vector
    __attribute__((vector_size(kLanes * sizeof(float)), may_alias));
typedef uint32_t Words
    __attribute__((vector_size(kLanes * sizeof(float)), may_alias));
typedef uint16_t HalfWords
    __attribute__((vector_size(kLanes * sizeof(Bfloat16)), may_alias));

// From and to any address.
[[gnu::always_inline]] inline Vector Load(const float* from) {
  Vector value;
  __builtin_memcpy(&value, from, sizeof(value));
  return value;
}

[[gnu::always_inline]] inline Vector Load(const Bfloat16* from) {
  HalfWords upper;
  __builtin_memcpy(&upper, from, sizeof(upper));
  return reinterpret_cast<Vector>(__builtin_convertvector(upper, Words) << 16);
}

[[gnu::always_inline]] inline void Store(const Vector& value, float* to) {
  __builtin_memcpy(to, &value, sizeof(value));
}

// ToBfloat16 (core/bfloat16.h) of every lane.
[[gnu::always_inline]] inline void Store(const Vector& value, Bfloat16* to) {
  const auto bits = reinterpret_cast<Words>(value);
  const Words nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const Words kept = value == value ? nearest : Words{} + 0x7FC0;
  const HalfWords upper = __builtin_convertvector(kept, HalfWords);
  __builtin_memcpy(to, &upper, sizeof(upper));
}

}  // namespace
}  // namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE
