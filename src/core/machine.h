// SPDX-License-Identifier: MIT
// What this process may use of the machine.
#pragma once

#include <cstdint>
#include <string>

namespace alexnet {

// Cores in this process's affinity mask, or fewer if its control group grants
// less time: a container often has fewer than the machine.
int UsableCores();

// Bytes that can still be had, as the kernel and the control group see it.
int64_t AvailableMemory();

// Bytes of this process in memory, now and at most so far (ru_maxrss).
int64_t ResidentMemory();
int64_t PeakResidentMemory();

inline double MiB(int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

// "AMD EPYC …", or "unknown".
std::string CpuModel();

}  // namespace alexnet
