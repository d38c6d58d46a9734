// SPDX-License-Identifier: MIT
// Which instruction set the kernels use; decided once, at run time.
#pragma once

#include <string_view>
#include <vector>

namespace alexnet {

// Each includes the ones before it. kAvx512 is F, BW, DQ and VL.
// kAmx is what computes with bfloat16 in tiles.
enum class Isa { kGeneric, kAvx2, kAvx512, kAvx512Bf16, kAmx };

std::string_view Name(Isa isa);

// Those that this machine has, the best last. Where that is AMX, asks the
// kernel for its registers, which the process then has to its end.
std::vector<Isa> SupportedIsas();

// The best one, or the one that the environment variable ALEXNET_ISA names
// ("generic", "avx2", "avx512", "avx512_bf16", "amx"). Throws UsageError if the
// machine lacks it.
Isa SelectedIsa();

}  // namespace alexnet
