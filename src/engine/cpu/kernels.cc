// SPDX-License-Identifier: MIT
#include "engine/cpu/kernels.h"

#include "alexnet/error.h"

namespace alexnet::cpu {

namespace generic {
extern const Kernels kKernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}
namespace avx512_bf16 {
extern const Kernels kKernels;
}
#endif

const Kernels& KernelsFor(Isa isa) {
  switch (isa) {
    case Isa::kGeneric:
      return generic::kKernels;
#if defined(__x86_64__)
    case Isa::kAvx2:
      return avx2::kKernels;
    case Isa::kAvx512:
      return avx512::kKernels;
    case Isa::kAvx512Bf16:
    case Isa::kAmx:
      return avx512_bf16::kKernels;
#else
    default:
      break;
#endif
  }
  throw Error("kernels: unknown instruction set");
}

}  // namespace alexnet::cpu
