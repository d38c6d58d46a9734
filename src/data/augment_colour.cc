// SPDX-License-Identifier: MIT
// Changes of colour, in Pillow's arithmetic: single precision, cut off rather
// than rounded where Pillow does that.
#include <algorithm>
#include <cmath>

#include "alexnet/error.h"
#include "data/augment.h"

namespace alexnet {
namespace {

uint8_t Clip(float value) {
  return value <= 0.0F     ? uint8_t{0}
         : value >= 255.0F ? uint8_t{255}
                           : static_cast<uint8_t>(value);
}

// Image.blend of one byte.
uint8_t Between(int from, int to, float factor) {
  return Clip(static_cast<float>(from) +
              factor * static_cast<float>(to - from));
}

// convert("L").
uint8_t Luma(uint32_t r, uint32_t g, uint32_t b) {
  return static_cast<uint8_t>((r * 19595 + g * 38470 + b * 7471 + 0x8000) >>
                              16);
}

std::vector<uint8_t> GreyOf(Canvas& canvas) {
  const auto first = canvas.Plane(0);
  if (canvas.shape.channels == 1) return {first.begin(), first.end()};
  const auto green = canvas.Plane(1);
  const auto blue = canvas.Plane(2);
  std::vector<uint8_t> grey(first.size());
  for (size_t i = 0; i < grey.size(); ++i) {
    grey[i] = Luma(first[i], green[i], blue[i]);
  }
  return grey;
}

// Away from, or towards, one value.
void BlendWith(int from, float factor, Canvas& canvas) {
  std::array<uint8_t, 256> table;
  for (int i = 0; i < 256; ++i) {
    table[static_cast<size_t>(i)] = Between(from, i, factor);
  }
  for (uint8_t& pixel : canvas.pixels) pixel = table[pixel];
}

struct Hsv {
  uint8_t h;
  uint8_t s;
  uint8_t v;
};

Hsv ToHsv(uint8_t r, uint8_t g, uint8_t b) {
  const uint8_t most = std::max({r, g, b});
  const uint8_t least = std::min({r, g, b});
  if (most == least) return {0, 0, most};
  const auto range = static_cast<float>(most - least);
  const float saturation = range / static_cast<float>(most);
  const float from_red = static_cast<float>(most - r) / range;
  const float from_green = static_cast<float>(most - g) / range;
  const float from_blue = static_cast<float>(most - b) / range;
  float hue = 0;
  if (r == most) {
    hue = from_blue - from_green;
  } else if (g == most) {
    hue = static_cast<float>(2.0 + from_red - from_blue);
  } else {
    hue = static_cast<float>(4.0 + from_green - from_red);
  }
  hue = static_cast<float>(std::fmod(hue / 6.0 + 1.0, 1.0));
  const auto byte = [](double value) {
    return static_cast<uint8_t>(std::clamp(static_cast<int>(value), 0, 255));
  };
  return {byte(hue * 255.0), byte(saturation * 255.0), most};
}

std::array<uint8_t, 3> ToRgb(const Hsv& in) {
  const uint8_t v = in.v;
  if (in.s == 0) return {v, v, v};
  const auto scaled = static_cast<float>(in.h * 6.0 / 255.0);
  const int sector = static_cast<int>(std::floor(scaled));
  const float rest = scaled - static_cast<float>(sector);
  const auto saturation = static_cast<float>(in.s / 255.0);
  const auto part = [&](double share) {
    const double value = std::round(static_cast<float>(v) * (1.0 - share));
    return static_cast<uint8_t>(std::clamp(static_cast<int>(value), 0, 255));
  };
  const uint8_t p = part(saturation);
  const uint8_t q = part(saturation * rest);
  const uint8_t t = part(saturation * (1.0 - rest));
  switch (sector % 6) {
    case 0:
      return {v, t, p};
    case 1:
      return {q, v, p};
    case 2:
      return {p, v, t};
    case 3:
      return {p, q, v};
    case 4:
      return {t, p, v};
    default:
      return {v, p, q};
  }
}

}  // namespace

void AdjustBrightness(double factor, Canvas& canvas) {
  BlendWith(0, static_cast<float>(factor), canvas);
}

void AdjustContrast(double factor, Canvas& canvas) {
  const std::vector<uint8_t> grey = GreyOf(canvas);
  uint64_t sum = 0;
  for (const uint8_t value : grey) sum += value;
  const double mean =
      static_cast<double>(sum) / static_cast<double>(grey.size());
  BlendWith(static_cast<int>(mean + 0.5), static_cast<float>(factor), canvas);
}

void AdjustSaturation(double factor, Canvas& canvas) {
  if (canvas.shape.channels != 3) return;
  const std::vector<uint8_t> grey = GreyOf(canvas);
  for (int64_t c = 0; c < 3; ++c) {
    const auto plane = canvas.Plane(c);
    for (size_t i = 0; i < plane.size(); ++i) {
      plane[i] = Between(grey[i], plane[i], static_cast<float>(factor));
    }
  }
}

void AdjustHue(double shift, Canvas& canvas) {
  if (canvas.shape.channels != 3) return;
  // torchvision adds the shift to the hue's byte, which wraps around.
  const auto step = static_cast<uint8_t>(static_cast<int>(shift * 255.0) & 255);
  const auto red = canvas.Plane(0);
  const auto green = canvas.Plane(1);
  const auto blue = canvas.Plane(2);
  for (size_t i = 0; i < red.size(); ++i) {
    Hsv hsv = ToHsv(red[i], green[i], blue[i]);
    hsv.h = static_cast<uint8_t>(hsv.h + step);
    const auto rgb = ToRgb(hsv);
    red[i] = rgb[0];
    green[i] = rgb[1];
    blue[i] = rgb[2];
  }
}

void Jitter(const std::array<double, 4>& strengths, Draws& draws,
            Canvas& canvas) {
  std::array<size_t, 4> order = {0, 1, 2, 3};
  for (int64_t i = 3; i > 0; --i) {
    std::swap(order[static_cast<size_t>(i)],
              order[static_cast<size_t>(draws.Below(i + 1))]);
  }
  std::array<double, 4> values;
  for (size_t i = 0; i < 3; ++i) {
    values[i] =
        draws.Uniform(std::max(0.0, 1.0 - strengths[i]), 1.0 + strengths[i]);
  }
  values[3] = draws.Uniform(-strengths[3], strengths[3]);
  using Change = void (*)(double, Canvas&);
  constexpr Change kChanges[] = {AdjustBrightness, AdjustContrast,
                                 AdjustSaturation, AdjustHue};
  for (const size_t i : order) {
    if (strengths[i] > 0) kChanges[i](values[i], canvas);
  }
}

void ShiftColour(const std::array<double, 3>& shift, Canvas& canvas) {
  for (int64_t c = 0; c < std::min<int64_t>(canvas.shape.channels, 3); ++c) {
    std::array<uint8_t, 256> table;
    for (size_t i = 0; i < table.size(); ++i) {
      const double value =
          static_cast<double>(i) + shift[static_cast<size_t>(c)];
      table[i] =
          static_cast<uint8_t>(std::clamp(std::nearbyint(value), 0.0, 255.0));
    }
    for (uint8_t& pixel : canvas.Plane(c)) pixel = table[pixel];
  }
}

void Blend(const Canvas& other, double share, Canvas& canvas) {
  ALEXNET_CHECK(other.shape == canvas.shape);
  // Sixteen fractional bits.
  const auto ours = static_cast<uint32_t>(std::nearbyint(share * 65536.0));
  for (size_t i = 0; i < canvas.pixels.size(); ++i) {
    canvas.pixels[i] = static_cast<uint8_t>(
        (canvas.pixels[i] * ours + other.pixels[i] * (65536 - ours) + 32768) >>
        16);
  }
}

}  // namespace alexnet
