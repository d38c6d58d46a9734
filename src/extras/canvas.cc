// SPDX-License-Identifier: MIT
#include "extras/canvas.h"

#include <plplot.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <utility>

#include "alexnet/error.h"

#ifdef __SANITIZE_ADDRESS__
// Pango keeps what fontconfig gave it until the process ends, and so would
// every test that draws be reported as leaking.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libfontconfig";
}
#endif

namespace alexnet {
namespace {

std::mutex plplot_mutex;

constexpr int kMostDevices = 256;
constexpr double kDotsPerInch = 90;
constexpr double kPixelsPerMillimetre = kDotsPerInch / 25.4;
// PLplot asks cairo for fonts of 1.07 times the character height it is given.
constexpr double kFontPerCharacterHeight = 1.07;

// Where PLplot would end the process. Its own frames have nothing to unwind.
int RefuseToExit(const char* message) {
  throw Error(Concat("PLplot: ", message));
}

// PLplot asks on the terminal for a device when it lacks the one it was told.
void RequireDevice(const std::string& device) {
  // plgDevs fills arrays of the caller's.
  std::vector<const char*> descriptions(kMostDevices);
  std::vector<const char*> names(kMostDevices);
  const char** menu = descriptions.data();
  const char** list = names.data();
  int count = kMostDevices;
  plgDevs(&menu, &list, &count);
  const bool found =
      std::any_of(list, list + count,
                  [&device](const char* name) { return device == name; });
  if (!found) {
    throw Error(Concat("PLplot has no device ", device,
                       "; Debian's package plplot-driver-cairo brings it"));
  }
}

// Bytes of the valid UTF-8 character that starts `text`, 0 if there is none.
size_t CharacterBytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t count = lead < 0x80                   ? 1
                       : lead >= 0xC2 && lead < 0xE0 ? 2
                       : lead >= 0xE0 && lead < 0xF0 ? 3
                       : lead >= 0xF0 && lead < 0xF5 ? 4
                                                     : 0;
  if (count > text.size() || lead < 0x20 || lead == 0x7F) return 0;
  for (size_t i = 1; i < count; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  }
  return count;
}

// '#' starts PLplot's escapes.
std::string Escaped(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const size_t count = CharacterBytes(text);
    if (count == 0) {
      escaped += '?';
    } else if (text[0] == '#') {
      escaped += "##";
    } else {
      escaped += text.substr(0, count);
    }
    text.remove_prefix(count == 0 ? 1 : count);
  }
  return escaped;
}

}  // namespace

Color Fade(Color full, double strength) {
  const auto mix = [strength](int part) {
    return static_cast<int>(std::lround(255 + strength * (part - 255)));
  };
  return {mix(full.red), mix(full.green), mix(full.blue)};
}

Canvas::Canvas(Format format, int64_t width, int64_t height)
    : lock_(plplot_mutex), format_(format), width_(width), height_(height) {
  ALEXNET_CHECK(width > 0 && height > 0 && width * height <= kMaxPixels);
  try {
    Begin();
  } catch (...) {
    End();
    throw;
  }
}

Canvas::~Canvas() { End(); }

void Canvas::Begin() {
  plsexit(RefuseToExit);
  const bool svg = format_ == Format::kSvg;
  const char* device = svg ? "svgcairo" : "memcairo";
  RequireDevice(device);
  PLINT stream = 0;
  plmkstrm(&stream);
  open_ = true;
  plsdev(device);
  const auto w = static_cast<PLINT>(width_);
  const auto h = static_cast<PLINT>(height_);
  if (svg) {
    plsfile(open_memstream(&svg_, &svg_size_));
  } else {
    rgba_.assign(static_cast<size_t>(4 * width_ * height_), 255);
    plsmema(w, h, rgba_.data());
  }
  plspage(kDotsPerInch, kDotsPerInch, w, h, 0, 0);
  plscol0(0, 255, 255, 255);
  plinit();
  pladv(0);
  plvpor(0, 1, 0, 1);
  plwind(0, width(), 0, height());
}

void Canvas::End() {
  if (open_) plend1();
  open_ = false;
  std::free(svg_);
  svg_ = nullptr;
}

void Canvas::SetColor(Color color) {
  plscol0(1, color.red, color.green, color.blue);
  plcol0(1);
}

void Canvas::Line(const std::vector<Point>& points, Color color, double pen) {
  if (points.empty()) return;
  std::vector<double> x;
  std::vector<double> y;
  for (const Point& point : points) {
    x.push_back(point.x);
    y.push_back(height() - point.y);
  }
  SetColor(color);
  plwidth(pen);
  plline(static_cast<PLINT>(x.size()), x.data(), y.data());
}

void Canvas::Fill(Point top_left, Point bottom_right, Color color) {
  const double left = top_left.x;
  const double right = bottom_right.x;
  const double top = height() - top_left.y;
  const double bottom = height() - bottom_right.y;
  const double x[] = {left, right, right, left};
  const double y[] = {top, top, bottom, bottom};
  SetColor(color);
  plfill(4, x, y);
}

void Canvas::Disc(Point center, double radius, Color color) {
  SetColor(color);
  plarc(center.x, height() - center.y, radius, radius, 0, 360, 0, 1);
}

void Canvas::Text(Point anchor, std::string_view text, const TextStyle& style) {
  const double angle = style.degrees * std::numbers::pi / 180;
  SetColor(style.color);
  plsfont(PL_FCI_SANS, PL_FCI_UPRIGHT,
          style.bold ? PL_FCI_BOLD : PL_FCI_MEDIUM);
  plschr(style.size / kPixelsPerMillimetre / kFontPerCharacterHeight, 1);
  plptex(anchor.x, height() - anchor.y, std::cos(angle), std::sin(angle),
         style.align, Escaped(text).c_str());
}

Image Canvas::TakePixels() {
  ALEXNET_CHECK(format_ == Format::kPixels && open_);
  End();
  const auto pixels = static_cast<size_t>(width_ * height_);
  Image image{width_, height_, std::vector<uint8_t>(3 * pixels)};
  for (size_t i = 0; i < 3 * pixels; ++i) {
    image.rgb[i] = rgba_[i / 3 * 4 + i % 3];
  }
  return image;
}

std::string Canvas::TakeSvg() {
  ALEXNET_CHECK(format_ == Format::kSvg && open_);
  plend1();  // closes the stream, which fills svg_
  open_ = false;
  std::string svg(svg_, svg_size_);
  End();
  return svg;
}

}  // namespace alexnet
