// SPDX-License-Identifier: MIT
// A line of many points with fewer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "extras/canvas.h"

namespace alexnet {

// What a chart can draw; a diverged run holds infinities and worse.
bool Drawable(double value);

// The drawable stretches of a line, each in at most about two points for
// every one of `buckets` parts of the whole: the lowest and the highest.
std::vector<std::vector<Point>> ThinnedLines(std::span<const double> x,
                                             std::span<const double> y,
                                             int64_t buckets);

}  // namespace alexnet
