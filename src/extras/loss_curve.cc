// SPDX-License-Identifier: MIT
#include "extras/loss_curve.h"

#include <algorithm>
#include <cmath>

#include "extras/plot.h"

namespace alexnet {
namespace {

// The lowest and the highest point of [begin, end), in their order.
void AppendExtremes(std::span<const double> x, std::span<const double> y,
                    size_t begin, size_t end, std::vector<Point>& line) {
  size_t low = begin;
  size_t high = begin;
  for (size_t i = begin; i < end; ++i) {
    if (y[i] < y[low]) low = i;
    if (y[i] > y[high]) high = i;
  }
  const auto [first, second] = std::minmax(low, high);
  line.push_back({x[first], y[first]});
  if (second != first) line.push_back({x[second], y[second]});
}

}  // namespace

bool Drawable(double value) { return std::abs(value) < 1e100; }

std::vector<std::vector<Point>> ThinnedLines(std::span<const double> x,
                                             std::span<const double> y,
                                             int64_t buckets) {
  const size_t bucket =
      std::max<size_t>(1, x.size() / static_cast<size_t>(buckets));
  std::vector<std::vector<Point>> lines;
  size_t i = 0;
  while (i < x.size()) {
    if (!Drawable(y[i])) {
      ++i;
      continue;
    }
    if (i == 0 || !Drawable(y[i - 1])) lines.emplace_back();
    const size_t limit = std::min(x.size(), (i / bucket + 1) * bucket);
    size_t end = i;
    while (end < limit && Drawable(y[end])) ++end;
    AppendExtremes(x, y, i, end, lines.back());
    i = end;
  }
  return lines;
}

std::vector<double> SmoothedLosses(std::span<const double> losses) {
  // Averages over about a fiftieth of the series.
  const double span =
      std::clamp(static_cast<double>(losses.size()) / 50, 2.0, 1000.0);
  const double keep = 1 - 1 / span;
  std::vector<double> smoothed;
  smoothed.reserve(losses.size());
  double sum = 0;
  double weight = 0;
  for (const double loss : losses) {
    if (Drawable(loss)) {
      sum = keep * sum + (1 - keep) * loss;
      weight = keep * weight + (1 - keep);
    }
    smoothed.push_back(sum / weight);
  }
  return smoothed;
}

}  // namespace alexnet
