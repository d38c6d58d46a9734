// SPDX-License-Identifier: MIT
#include "engine/cpu/machine_peak.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>

#include "core/arena.h"
#include "engine/cpu/kernels.h"

namespace alexnet::cpu {
namespace {

constexpr int kRounds = 8;

double BestSeconds(const std::function<void()>& work) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> taken =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count());
  }
  return best;
}

}  // namespace

MachinePeak MeasurePeak(int threads) {
  omp_set_num_threads(threads);
  const Kernels& kernels = KernelsFor(SelectedIsa());
  // About 20 ms a round: long enough to be measured, short enough to find a
  // quiet moment.
  constexpr int64_t kLoops = 4'000'000;
  int64_t operations = 0;
  const double compute = BestSeconds([&] {
    operations = 0;
#pragma omp parallel reduction(+ : operations)
    operations += kernels.multiply_add_loop(kLoops);
  });
  // Far more than any cache holds.
  constexpr int64_t kElements = int64_t{48} << 20;
  const Pages from(kElements * 4);
  const Pages to(kElements * 4);
  // Untouched pages would all be the one page of zeros, which sits in a cache.
  std::memset(from.data(), 0, kElements * 4);
  std::memset(to.data(), 0, kElements * 4);
  const double memory = BestSeconds([&] {
    kernels.add(reinterpret_cast<float*>(from.data()),
                reinterpret_cast<float*>(to.data()), kElements);
  });
  return {static_cast<double>(operations) / compute,
          3.0 * 4 * static_cast<double>(kElements) / memory};
}

}  // namespace alexnet::cpu
