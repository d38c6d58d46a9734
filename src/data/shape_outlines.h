// SPDX-License-Identifier: MIT
// The ten shapes of the built-in data set, as sets of points.
#pragma once

#include <string>
#include <vector>

namespace alexnet {

enum class Outline {
  kCircle,
  kRing,
  kSquare,
  kTriangle,
  kCross,
  kStar,
  kCrescent,
  kStripes,
  kDiagonals,
  kCheckerboard,
};
inline constexpr int kOutlines = 10;

const std::vector<std::string>& OutlineNames();

// The last three fill the plane; the others lie within the unit circle.
bool IsPattern(Outline outline);

// Whether (u, v), v downwards, belongs to the outline.
bool Contains(Outline outline, double u, double v);

}  // namespace alexnet
