// SPDX-License-Identifier: MIT
// A sheet to draw on, in pixels from the top left corner, through PLplot's
// cairo drivers: in memory, without a window system. Text needs some font that
// fontconfig knows, such as Debian's fonts-dejavu-core.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "image/image_file.h"

namespace alexnet {

struct Color {
  int red = 0;
  int green = 0;
  int blue = 0;
};

// White for 0 to `full` for 1.
Color Fade(Color full, double strength);

inline constexpr Color kInk{45, 50, 58};
inline constexpr Color kPaleInk{110, 117, 128};
inline constexpr Color kRule{226, 229, 234};

struct Point {
  double x = 0;
  double y = 0;
};

struct TextStyle {
  double size = 20;  // height of the font in pixels
  Color color = kInk;
  double align = 0;  // 0 the anchor is the left end, 0.5 the middle, 1 the end
  double degrees = 0;  // turned counter-clockwise
  bool bold = false;
};

// PLplot keeps its state in globals: while a Canvas lives, the making of
// another one in another thread waits.
class Canvas {
 public:
  enum class Format { kPixels, kSvg };

  Canvas(Format format, int64_t width, int64_t height);
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;
  ~Canvas();

  double width() const { return static_cast<double>(width_); }
  double height() const { return static_cast<double>(height_); }

  void Line(const std::vector<Point>& points, Color color, double pen);
  void Fill(Point top_left, Point bottom_right, Color color);
  void Disc(Point center, double radius, Color color);
  // Valid UTF-8 is drawn as it is, any other byte as "?".
  void Text(Point anchor, std::string_view text, const TextStyle& style);

  // Ends the drawing and returns it. Once, and only for that format.
  Image TakePixels();
  std::string TakeSvg();

 private:
  void Begin();
  void End();
  void SetColor(Color color);

  std::unique_lock<std::mutex> lock_;
  Format format_;
  int64_t width_;
  int64_t height_;
  std::vector<uint8_t> rgba_;
  char* svg_ = nullptr;
  size_t svg_size_ = 0;
  bool open_ = false;
};

}  // namespace alexnet
