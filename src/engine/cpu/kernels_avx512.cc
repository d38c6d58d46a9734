// SPDX-License-Identifier: MIT
#define ALEXNET_ISA_NAMESPACE avx512
#include "engine/cpu/kernels-inl.h"
