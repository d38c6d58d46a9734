// SPDX-License-Identifier: MIT
#include "extras/axis.h"

#include <algorithm>
#include <cmath>

#include "extras/label_text.h"

namespace alexnet {

std::vector<double> Ticks(double low, double high, int most,
                          double least_spacing) {
  const double rough = std::max((high - low) / most, least_spacing);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double spacing = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (factor * power >= rough) spacing = factor * power;
  }
  std::vector<double> ticks;
  const double first = std::ceil(low / spacing - 1e-9);
  const double last = std::floor(high / spacing + 1e-9);
  for (double k = first; k <= last && ticks.size() < 100; ++k) {
    ticks.push_back(k == 0 ? 0 : k * spacing);
  }
  return ticks;
}

std::string TickText(double tick, double spacing) {
  const double size = std::max(std::abs(tick), spacing);
  if (size >= 1e7 || spacing < 1e-5) return General(tick, 6);
  if (spacing >= 1) return Grouped(std::llround(tick));
  return Fixed(tick, static_cast<int>(-std::floor(std::log10(spacing) + 1e-9)));
}

void EnsureRange(double& low, double& high) {
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low > 1e-4 * size && high > low) return;
  const double margin = size > 0 ? 0.1 * size : 1;
  low -= margin;
  high += margin;
}

}  // namespace alexnet
