// SPDX-License-Identifier: MIT
// The ceilings that a step is held against, measured on this machine with our
// own loops.
#pragma once

namespace alexnet::cpu {

struct MachinePeak {
  double flops_per_s = 0;  // fp32 multiply-adds, all threads, two each
  double bytes_per_s = 0;  // y ← y + x through memory, bytes read and written
};

// Takes about half a second; the best of several rounds, since anything else
// that runs can only slow it down.
MachinePeak MeasurePeak(int threads);

}  // namespace alexnet::cpu
