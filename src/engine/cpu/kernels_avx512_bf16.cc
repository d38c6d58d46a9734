// SPDX-License-Identifier: MIT
#define ALEXNET_ISA_NAMESPACE avx512_bf16
#include "engine/cpu/kernels-inl.h"
