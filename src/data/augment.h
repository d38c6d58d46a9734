// SPDX-License-Identifier: MIT
// The changes themselves, on planes of bytes. Each takes its numbers from a
// Draws of its own; what torchvision has is done as torchvision does it to
// Pillow's images, byte for byte, given the same numbers.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "alexnet/dataset.h"
#include "data/draws.h"

namespace alexnet {

// An image being worked on.
struct Canvas {
  Shape3 shape;
  std::vector<uint8_t> pixels;  // planar

  std::span<uint8_t> Plane(int64_t c) {
    const auto size = static_cast<size_t>(shape.height * shape.width);
    return std::span(pixels).subspan(static_cast<size_t>(c) * size, size);
  }
};

// RandomResizedCrop's part: area of scale[0] to scale[1] of the whole, ratio
// of the sides from 3/4 to 4/3; after ten failures the middle.
Box ResizedCropBox(Size2 size, std::array<double, 2> scale, Draws& draws);

// RandomErasing's rectangle: area 0.02 to 0.33, ratio 0.3 to 3.3; empty after
// ten failures.
Box ErasedBox(Size2 size, Draws& draws);

// A part that may reach beyond the edges, where there is black.
void CropWithBorder(const Box& box, Canvas& canvas);
void FlipLeftRight(Canvas& canvas);
void Fill(const Box& box, std::span<const uint8_t> colour, Canvas& canvas);

// ImageEnhance's Brightness, Contrast and Color, and adjust_hue. Three
// channels, but the first two also of one.
void AdjustBrightness(double factor, Canvas& canvas);
void AdjustContrast(double factor, Canvas& canvas);
void AdjustSaturation(double factor, Canvas& canvas);
void AdjustHue(double shift, Canvas& canvas);

// ColorJitter(brightness, contrast, saturation, hue), in random order.
void Jitter(const std::array<double, 4>& strengths, Draws& draws,
            Canvas& canvas);

// Adds a number to each channel, rounding to the nearest.
void ShiftColour(const std::array<double, 3>& shift, Canvas& canvas);

// share · canvas + (1 − share) · other, rounded to the nearest.
void Blend(const Canvas& other, double share, Canvas& canvas);
void Paste(const Canvas& other, const Box& box, Canvas& canvas);

// CutMix's rectangle, of about 1 − share of the area.
Box CutBox(Size2 size, double share, Draws& draws);

}  // namespace alexnet
