// SPDX-License-Identifier: MIT
// Plain arithmetic and comparisons only, which IEEE 754 defines to the last
// bit: the images are the same on every machine.
#include "data/shape_outlines.h"

#include <algorithm>

namespace alexnet {
namespace {

double Abs(double x) { return x < 0 ? -x : x; }

bool InDisc(double u, double v, double radius) {
  return u * u + v * v < radius * radius;
}

// Corners at a distance of one from the middle, one of them up.
bool InTriangle(double u, double v) {
  constexpr double kHalfRoot3 = 0.8660254037844386;
  return v < 0.5 && kHalfRoot3 * Abs(u) - 0.5 * v < 0.5;
}

// A pentagram: inside at least four of the five lines through its points.
bool InStar(double u, double v) {
  struct Normal {
    double u, v;
  };
  constexpr Normal kNormals[] = {{0, 1},
                                 {0.9510565162951535, 0.3090169943749474},
                                 {0.5877852522924731, -0.8090169943749475},
                                 {-0.5877852522924731, -0.8090169943749475},
                                 {-0.9510565162951535, 0.3090169943749474}};
  constexpr double kLineDistance = 0.35;  // a little stouter than the regular
  const auto inside = std::ranges::count_if(
      kNormals, [&](Normal n) { return n.u * u + n.v * v < kLineDistance; });
  return inside >= 4 && InDisc(u, v, 1);
}

// Bands of width one half.
bool OnBand(double x) {
  const double shifted = 2 * x + 4096;  // positive, so that the cast floors
  return (static_cast<int>(shifted) & 1) != 0;
}

}  // namespace

const std::vector<std::string>& OutlineNames() {
  static const std::vector<std::string> kNames = {
      "circle", "ring",     "square",  "triangle",  "cross",
      "star",   "crescent", "stripes", "diagonals", "checkerboard"};
  return kNames;
}

bool IsPattern(Outline outline) { return outline >= Outline::kStripes; }

bool Contains(Outline outline, double u, double v) {
  constexpr double kRoot = 0.7071067811865476;
  switch (outline) {
    case Outline::kCircle:
      return InDisc(u, v, 0.95);
    case Outline::kRing:
      return InDisc(u, v, 1) && !InDisc(u, v, 0.6);
    case Outline::kSquare:
      return Abs(u) < 0.75 && Abs(v) < 0.75;
    case Outline::kTriangle:
      return InTriangle(u, v);
    case Outline::kCross:
      return (Abs(u) < 0.25 && Abs(v) < 1) || (Abs(v) < 0.25 && Abs(u) < 1);
    case Outline::kStar:
      return InStar(u, v);
    case Outline::kCrescent:
      return InDisc(u, v, 1) && !InDisc(u - 0.5, v, 0.85);
    case Outline::kStripes:
      return OnBand(v);
    case Outline::kDiagonals:
      return OnBand(kRoot * (u + v));
    case Outline::kCheckerboard:
      return OnBand(u) != OnBand(v);
  }
  return false;
}

}  // namespace alexnet
