// SPDX-License-Identifier: MIT
// Vectors that lie as the kernels want them, of float32 and bfloat16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <random>
#include <vector>

#include "core/bfloat16.h"

namespace alexnet::testing_support {

template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};
  AlignedAllocator() = default;
  template <class U>
  explicit AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(size_t n) {
    return static_cast<T*>(::operator new(n * sizeof(T), kAlignment));
  }
  void deallocate(T* data, size_t) { ::operator delete(data, kAlignment); }
  bool operator==(const AlignedAllocator&) const { return true; }
};

using Floats = std::vector<float, AlignedAllocator<float>>;
using Halves = std::vector<Bfloat16, AlignedAllocator<Bfloat16>>;

inline Floats Random(size_t n, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Floats values(n);
  for (float& value : values) value = normal(generator);
  return values;
}

inline Halves Round(const Floats& values) {
  Halves rounded;
  for (const float value : values) rounded.push_back(ToBfloat16(value));
  return rounded;
}

inline Floats Widen(const Halves& values) {
  Floats widened;
  for (const Bfloat16 value : values) widened.push_back(FromBfloat16(value));
  return widened;
}

}  // namespace alexnet::testing_support
