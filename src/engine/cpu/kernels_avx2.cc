// SPDX-License-Identifier: MIT
#define ALEXNET_ISA_NAMESPACE avx2
#include "engine/cpu/kernels-inl.h"
