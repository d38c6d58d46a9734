// SPDX-License-Identifier: MIT
#include "core/isa.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "alexnet/error.h"

namespace alexnet {
namespace {

Isa Select() {
  const std::vector<Isa> supported = SupportedIsas();
  const char* wanted = std::getenv("ALEXNET_ISA");
  if (wanted == nullptr || *wanted == '\0') return supported.back();
  std::string known;
  for (const Isa isa : supported) {
    if (Name(isa) == wanted) return isa;
    known += (known.empty() ? "" : ", ") + std::string(Name(isa));
  }
  throw UsageError(
      Concat("ALEXNET_ISA=", wanted, ": this machine supports ", known));
}

#if defined(__x86_64__)
// Linux grants AMX's large registers only to a process that asks for them
// (arch_prctl, ARCH_REQ_XCOMP_PERM), and then to all its threads.
bool MayUseTiles() {
#if defined(__linux__)
  constexpr int kRequestPermission = 0x1023;
  constexpr int kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

}  // namespace

std::string_view Name(Isa isa) {
  switch (isa) {
    case Isa::kGeneric:
      return "generic";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Bf16:
      return "avx512_bf16";
    case Isa::kAmx:
      return "amx";
  }
  return "unknown";
}

std::vector<Isa> SupportedIsas() {
  std::vector<Isa> isas = {Isa::kGeneric};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    isas.push_back(Isa::kAvx2);
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      isas.push_back(Isa::kAvx512);
      if (__builtin_cpu_supports("avx512bf16")) {
        isas.push_back(Isa::kAvx512Bf16);
        if (__builtin_cpu_supports("amx-bf16") && MayUseTiles()) {
          isas.push_back(Isa::kAmx);
        }
      }
    }
  }
#endif
  return isas;
}

Isa SelectedIsa() {
  static const Isa isa = Select();
  return isa;
}

}  // namespace alexnet
