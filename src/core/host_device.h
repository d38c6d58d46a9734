// SPDX-License-Identifier: MIT
// Marks a formula that is written once and computed by CPU and GPU alike.
#pragma once

// Always inlined: the kernels of each instruction set include such formulas,
// and a copy of its own that the linker picks among theirs could need a newer
// machine.
#ifdef __CUDACC__
#define ALEXNET_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define ALEXNET_HOST_DEVICE [[gnu::always_inline]] inline
#endif

// Before a loop that nvcc would unroll for many more turns than it takes.
#ifdef __CUDA_ARCH__
#define ALEXNET_NO_UNROLL _Pragma("unroll 1")
#else
#define ALEXNET_NO_UNROLL
#endif
