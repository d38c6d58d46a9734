// SPDX-License-Identifier: MIT
#define ALEXNET_ISA_NAMESPACE generic
#include "engine/cpu/kernels-inl.h"
