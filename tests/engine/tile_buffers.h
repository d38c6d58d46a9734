// SPDX-License-Identifier: MIT
// What the tests of AMX's products share: buffers that show a read or a write
// where there should be none.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/isa.h"
#include "engine/aligned.h"
#include "engine/cpu/tiles.h"

namespace alexnet::testing_support {

inline bool HasTiles() {
  const std::vector<Isa> isas = SupportedIsas();
  return std::ranges::find(isas, Isa::kAmx) != isas.end();
}

constexpr size_t Index(int64_t i) { return static_cast<size_t>(i); }

// The end of every buffer shows what is written beyond it, which the sanitizers
// do not see tiles do; NaN before it what is read that was not written. As much
// as a tile of values, or two of sums.
inline constexpr size_t kGuard = cpu::kTileElements;
inline constexpr Bfloat16 kNan = 0x7FC0;
inline constexpr Bfloat16 kUntouched = 0x1234;
inline constexpr float kUntouchedFloat = 1234;

inline Halves Scratch(int64_t elements) {
  Halves scratch(Index(elements) + kGuard, kNan);
  std::fill_n(scratch.end() - kGuard, kGuard, kUntouched);
  return scratch;
}
inline Floats FloatScratch(size_t elements) {
  Floats scratch(elements + kGuard, NAN);
  std::fill_n(scratch.end() - kGuard, kGuard, kUntouchedFloat);
  return scratch;
}

inline void ExpectGuard(const Halves& scratch) {
  for (size_t i = scratch.size() - kGuard; i < scratch.size(); ++i) {
    EXPECT_EQ(scratch[i], kUntouched);
  }
}
inline void ExpectGuard(const Floats& scratch) {
  for (size_t i = scratch.size() - kGuard; i < scratch.size(); ++i) {
    EXPECT_EQ(scratch[i], kUntouchedFloat);
  }
}

// What is before the guard, once that has been looked at.
template <class Values>
Values Written(Values scratch) {
  ExpectGuard(scratch);
  scratch.resize(scratch.size() - kGuard);
  return scratch;
}

// Sums of exact products, of float32's rounding.
inline constexpr double kSumTolerance = 2e-6;

}  // namespace alexnet::testing_support
