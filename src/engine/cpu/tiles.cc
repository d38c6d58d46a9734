// SPDX-License-Identifier: MIT
#include "engine/cpu/tiles.h"

#include "engine/cpu/linear_tiles.h"

namespace alexnet::cpu {

#if defined(__x86_64__)
namespace amx {
extern const TileKernels kTileKernels;
extern const LinearTileKernels kLinearTileKernels;
}  // namespace amx
#endif

const TileKernels* TileKernelsFor(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAmx) return &amx::kTileKernels;
#endif
  static_cast<void>(isa);
  return nullptr;
}

const LinearTileKernels* LinearTileKernelsFor(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAmx) return &amx::kLinearTileKernels;
#endif
  static_cast<void>(isa);
  return nullptr;
}

}  // namespace alexnet::cpu
