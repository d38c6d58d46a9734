// SPDX-License-Identifier: MIT
// Parts, flips, rectangles.
#include <algorithm>
#include <cmath>

#include "alexnet/error.h"
#include "data/augment.h"

namespace alexnet {
namespace {

constexpr int kTries = 10;

// Python's round, whose halves go to the even number.
int64_t Rounded(double value) {
  return static_cast<int64_t>(std::nearbyint(value));
}

struct Sides {
  int64_t along = 0;   // √(area · ratio)
  int64_t across = 0;  // √(area / ratio)
};

Sides DrawSides(double whole, std::array<double, 2> scale,
                std::array<double, 2> ratio, Draws& draws) {
  const double area = whole * draws.Uniform(scale[0], scale[1]);
  const double aspect =
      std::exp(draws.Uniform(std::log(ratio[0]), std::log(ratio[1])));
  return {Rounded(std::sqrt(area * aspect)), Rounded(std::sqrt(area / aspect))};
}

double AreaOf(Size2 size) {
  return static_cast<double>(size.height * size.width);
}

}  // namespace

Box ResizedCropBox(Size2 size, std::array<double, 2> scale, Draws& draws) {
  constexpr std::array<double, 2> kRatio = {3.0 / 4.0, 4.0 / 3.0};
  for (int i = 0; i < kTries; ++i) {
    const auto [width, height] = DrawSides(AreaOf(size), scale, kRatio, draws);
    if (width > 0 && width <= size.width && height > 0 &&
        height <= size.height) {
      const int64_t top = draws.Below(size.height - height + 1);
      const int64_t left = draws.Below(size.width - width + 1);
      return {left, top, width, height};
    }
  }
  int64_t width = size.width;
  int64_t height = size.height;
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  if (ratio < kRatio[0]) {
    height =
        std::max(Rounded(static_cast<double>(width) / kRatio[0]), int64_t{1});
  } else if (ratio > kRatio[1]) {
    width =
        std::max(Rounded(static_cast<double>(height) * kRatio[1]), int64_t{1});
  }
  return {(size.width - width) / 2, (size.height - height) / 2, width, height};
}

Box ErasedBox(Size2 size, Draws& draws) {
  for (int i = 0; i < kTries; ++i) {
    const auto [height, width] =
        DrawSides(AreaOf(size), {0.02, 0.33}, {0.3, 3.3}, draws);
    if (height >= size.height || width >= size.width) continue;
    const int64_t top = draws.Below(size.height - height + 1);
    const int64_t left = draws.Below(size.width - width + 1);
    return {left, top, width, height};
  }
  return {};
}

Box CutBox(Size2 size, double share, Draws& draws) {
  const int64_t x = draws.Below(size.width);
  const int64_t y = draws.Below(size.height);
  const double radius = 0.5 * std::sqrt(1.0 - share);
  const auto half_width =
      static_cast<int64_t>(radius * static_cast<double>(size.width));
  const auto half_height =
      static_cast<int64_t>(radius * static_cast<double>(size.height));
  const int64_t left = std::max(x - half_width, int64_t{0});
  const int64_t top = std::max(y - half_height, int64_t{0});
  return {left, top, std::min(x + half_width, size.width) - left,
          std::min(y + half_height, size.height) - top};
}

void CropWithBorder(const Box& box, Canvas& canvas) {
  const Shape3 in = canvas.shape;
  Canvas result{{in.channels, box.height, box.width}, {}};
  result.pixels.resize(static_cast<size_t>(result.shape.elements()));
  const int64_t first = std::max(int64_t{0}, -box.left);
  const int64_t end = std::min(box.width, in.width - box.left);
  for (int64_t c = 0; c < in.channels; ++c) {
    for (int64_t y = 0; y < box.height; ++y) {
      const int64_t from = box.top + y;
      if (from < 0 || from >= in.height || first >= end) continue;
      std::copy_n(canvas.Plane(c).data() + from * in.width + box.left + first,
                  end - first, result.Plane(c).data() + y * box.width + first);
    }
  }
  canvas = std::move(result);
}

void FlipLeftRight(Canvas& canvas) {
  const auto width = static_cast<size_t>(canvas.shape.width);
  for (size_t at = 0; at < canvas.pixels.size(); at += width) {
    std::ranges::reverse(std::span(canvas.pixels).subspan(at, width));
  }
}

void Fill(const Box& box, std::span<const uint8_t> colour, Canvas& canvas) {
  for (int64_t c = 0; c < canvas.shape.channels; ++c) {
    for (int64_t y = box.top; y < box.top + box.height; ++y) {
      std::fill_n(canvas.Plane(c).data() + y * canvas.shape.width + box.left,
                  box.width, colour[static_cast<size_t>(c) % colour.size()]);
    }
  }
}

void Paste(const Canvas& other, const Box& box, Canvas& canvas) {
  ALEXNET_CHECK(other.shape == canvas.shape);
  const int64_t plane = canvas.shape.height * canvas.shape.width;
  for (int64_t c = 0; c < canvas.shape.channels; ++c) {
    for (int64_t y = box.top; y < box.top + box.height; ++y) {
      const int64_t at = c * plane + y * canvas.shape.width + box.left;
      std::copy_n(other.pixels.data() + at, box.width,
                  canvas.pixels.data() + at);
    }
  }
}

}  // namespace alexnet
