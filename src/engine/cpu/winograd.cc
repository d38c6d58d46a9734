// SPDX-License-Identifier: MIT
#include "engine/cpu/winograd.h"

namespace alexnet::cpu {

#if defined(__x86_64__)
namespace avx2 {
extern const WinogradKernels kTable4x5;
extern const WinogradKernels kTable5x3;
}  // namespace avx2
namespace avx512 {
extern const WinogradKernels kTable4x5;
extern const WinogradKernels kTable5x3;
}  // namespace avx512
#endif

const WinogradKernels* WinogradKernelsFor(Isa isa, int64_t r) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512 && r == 5) return &avx512::kTable4x5;
  if (isa >= Isa::kAvx512 && r == 3) return &avx512::kTable5x3;
  if (isa == Isa::kAvx2 && r == 5) return &avx2::kTable4x5;
  if (isa == Isa::kAvx2 && r == 3) return &avx2::kTable5x3;
#endif
  static_cast<void>(isa);
  static_cast<void>(r);
  return nullptr;
}

}  // namespace alexnet::cpu
