// SPDX-License-Identifier: MIT
// The built-in data set. Only the form tells the class: place, size, rotation
// and both colours are random, so that no single pixel says anything.
//
// Compiled without contraction to fused multiply-adds, and free of library
// functions: the bytes are the same on every machine.
#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "alexnet/dataset.h"
#include "alexnet/error.h"
#include "core/philox.h"
#include "data/image_block.h"
#include "data/shape_outlines.h"

namespace alexnet {
namespace {

constexpr Shape3 kShape = {3, 32, 32};
constexpr int64_t kMaxCount = 1'000'000;
constexpr int kSide = 32;
constexpr int kSamples = 3;  // a side of a pixel, against jagged edges
constexpr int kNoise = 10;   // greatest change of a byte

using Colour = std::array<double, 3>;

// The random numbers of one image, or of one block of labels.
class Numbers {
 public:
  enum Purpose : uint32_t { kTrain = 0, kTest = 1, kLabels = 2 };

  Numbers(uint64_t seed, uint32_t purpose, int64_t index)
      : seed_(seed), counter_{0, static_cast<uint32_t>(index), purpose, 0} {}

  uint32_t Next() {
    if (used_ == words_.size()) {
      words_ = Philox(counter_, seed_);
      ++counter_[0];
      used_ = 0;
    }
    return words_[used_++];
  }
  double Uniform(double low, double high) {
    return low + (high - low) * (Next() * 0x1p-32);
  }
  uint32_t Below(uint32_t n) {
    return static_cast<uint32_t>((uint64_t{Next()} * n) >> 32);
  }

 private:
  uint64_t seed_;
  Philox4 counter_;
  Philox4 words_ = {};
  size_t used_ = 4;
};

struct Scene {
  Outline outline;
  double x, y;         // middle, in pixels
  double scale;        // pixels of one unit
  double cos, sin;     // of the rotation
  Colour front, back;  // 0 … 255
  double shade_x, shade_y;
};

// Rotates by the angle whose half has this tangent: no cosine is needed.
void SetRotation(double half_tangent, uint32_t quarters, Scene& scene) {
  const double square = half_tangent * half_tangent;
  scene.cos = (1 - square) / (1 + square);
  scene.sin = 2 * half_tangent / (1 + square);
  for (; quarters > 0; --quarters) {
    scene.cos = -std::exchange(scene.sin, scene.cos);
  }
}

// Of the eye, roughly.
double Brightness(const Colour& colour) {
  return 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2];
}

// Two colours that differ in brightness, either the brighter: seen in grey,
// too, the form stands out.
void PickColours(Numbers& numbers, Scene& scene) {
  constexpr double kLeastContrast = 80;
  const double sign = numbers.Below(4) == 0 ? -1 : 1;
  double contrast = 0;
  while (contrast < kLeastContrast) {
    for (size_t c = 0; c < 3; ++c) {
      scene.front[c] = numbers.Uniform(20, 235);
      scene.back[c] = numbers.Uniform(20, 235);
    }
    contrast = sign * (Brightness(scene.front) - Brightness(scene.back));
  }
}

Scene Compose(Outline outline, Numbers& numbers) {
  constexpr double kTan22 = 0.4142135623730951;  // of half of 45 degrees
  constexpr double kMiddle = kSide / 2.0;
  Scene scene = {};
  scene.outline = outline;
  const bool pattern = IsPattern(outline);
  scene.scale = pattern ? numbers.Uniform(9, 13) : numbers.Uniform(11, 15);
  const double reach = pattern ? scene.scale : kMiddle - scene.scale;
  scene.x = kMiddle + numbers.Uniform(-reach, reach);
  scene.y = kMiddle + numbers.Uniform(-reach, reach);
  // Stripes that lean further would be diagonals.
  const bool steady =
      outline == Outline::kStripes || outline == Outline::kDiagonals;
  const double turn = steady ? 0.07 : kTan22;
  const double half_tangent = numbers.Uniform(-turn, turn);
  const uint32_t quarters = numbers.Below(4);
  SetRotation(half_tangent,
              outline == Outline::kStripes ? quarters & 2 : quarters, scene);
  PickColours(numbers, scene);
  scene.shade_x = numbers.Uniform(-1, 1);
  scene.shade_y = numbers.Uniform(-1, 1);
  return scene;
}

// Share of the pixel that the shape covers.
double Coverage(const Scene& scene, int x, int y) {
  int inside = 0;
  for (int i = 0; i < kSamples * kSamples; ++i) {
    const double dx = x + (i % kSamples + 0.5) / kSamples - scene.x;
    const double dy = y + (i / kSamples + 0.5) / kSamples - scene.y;
    const double u = (scene.cos * dx + scene.sin * dy) / scene.scale;
    const double v = (scene.cos * dy - scene.sin * dx) / scene.scale;
    inside += Contains(scene.outline, u, v) ? 1 : 0;
  }
  return inside / static_cast<double>(kSamples * kSamples);
}

uint8_t ToByte(double value, uint32_t random_byte) {
  const int noise = static_cast<int>((random_byte * (2 * kNoise + 1)) >> 8);
  return static_cast<uint8_t>(
      std::clamp(static_cast<int>(value + 0.5) + noise - kNoise, 0, 255));
}

void Paint(const Scene& scene, Numbers& numbers, uint8_t* pixels) {
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const double front = Coverage(scene, x, y);
      const double shade =
          scene.shade_x * (x - kSide / 2) + scene.shade_y * (y - kSide / 2);
      const uint32_t random = numbers.Next();
      for (size_t c = 0; c < 3; ++c) {
        const double value =
            scene.back[c] + front * (scene.front[c] - scene.back[c]) + shade;
        pixels[(static_cast<int>(c) * kSide + y) * kSide + x] =
            ToByte(value < 0 ? 0 : value, (random >> (8 * c)) & 0xFF);
      }
    }
  }
}

// Every ten images hold each class once, in random order.
std::array<int32_t, kOutlines> LabelsOfTen(uint64_t seed, Split split,
                                           int64_t block) {
  std::array<int32_t, kOutlines> labels = {};
  Numbers numbers(
      seed, Numbers::kLabels + (split == Split::kTest ? Numbers::kTest : 0U),
      block);
  for (int i = 0; i < kOutlines; ++i) {
    const auto at = static_cast<size_t>(i);
    const size_t other = numbers.Below(static_cast<uint32_t>(i) + 1);
    labels[at] = labels[other];
    labels[other] = i;
  }
  return labels;
}

}  // namespace

std::unique_ptr<Dataset> MakeShapes(const ShapesOptions& options, Split split) {
  if (options.count < 1 || options.count > kMaxCount) {
    throw UsageError(Concat("shapes: ", options.count,
                            " images asked for, expected 1 to ", kMaxCount));
  }
  const bool test = split == Split::kTest;
  ImageBlock block = {.name = test ? "shapes-test" : "shapes-train",
                      .shape = kShape,
                      .pixels = {},
                      .labels = {},
                      .class_names = OutlineNames()};
  block.labels.resize(static_cast<size_t>(options.count));
  block.pixels.resize(static_cast<size_t>(options.count * kShape.elements()));
  std::array<int32_t, kOutlines> labels = {};
  for (int64_t i = 0; i < options.count; ++i) {
    if (i % kOutlines == 0) {
      labels = LabelsOfTen(options.seed, split, i / kOutlines);
    }
    const int32_t label = labels[static_cast<size_t>(i % kOutlines)];
    Numbers numbers(options.seed, test ? Numbers::kTest : Numbers::kTrain, i);
    const Scene scene = Compose(static_cast<Outline>(label), numbers);
    Paint(scene, numbers, block.pixels.data() + i * kShape.elements());
    block.labels[static_cast<size_t>(i)] = label;
  }
  return MakeDataset(std::move(block));
}

}  // namespace alexnet
