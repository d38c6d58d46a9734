// SPDX-License-Identifier: MIT
// bfloat16 as kernels use it; see cuda_runtime_api.h.
#pragma once

#include <cuda_runtime_api.h>

#include "core/bfloat16.h"

struct __nv_bfloat16 {
  __nv_bfloat16() = default;
  explicit __nv_bfloat16(double value)
      : bits(alexnet::ToBfloat16(static_cast<float>(value))) {}
  alexnet::Bfloat16 bits = 0;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

inline float __bfloat162float(__nv_bfloat16 value) {
  return alexnet::FromBfloat16(value.bits);
}
inline __nv_bfloat16 __float2bfloat16_rn(float value) {
  return __nv_bfloat16(value);
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}
