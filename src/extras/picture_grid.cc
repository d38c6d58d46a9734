// SPDX-License-Identifier: MIT
#include "extras/picture_grid.h"

#include <algorithm>

#include "alexnet/error.h"
#include "extras/canvas.h"
#include "extras/label_text.h"

namespace alexnet {
namespace {

constexpr int64_t kGap = 14;
constexpr int64_t kCaptionHeight = 24;
constexpr double kFontSize = 15;
// Tiles narrower than this are enlarged, so that a caption has room.
constexpr int64_t kLeastWidth = 96;

struct Layout {
  int64_t columns;
  int64_t rows;
  int64_t zoom;
  int64_t tile_width;
  int64_t tile_height;
  int64_t caption_height;

  int64_t width() const { return kGap + columns * (tile_width + kGap); }
  int64_t height() const {
    return kGap + rows * (tile_height + caption_height + kGap);
  }
  int64_t left(int64_t index) const {
    return kGap + index % columns * (tile_width + kGap);
  }
  int64_t top(int64_t index) const {
    return kGap + index / columns * (tile_height + caption_height + kGap);
  }
};

Layout LayOut(const std::vector<Image>& images, int64_t columns,
              bool captioned) {
  if (images.empty() || columns < 1) {
    throw UsageError(Concat("expected images and columns, found ",
                            images.size(), " and ", columns));
  }
  const Image& first = images.front();
  for (const Image& image : images) {
    if (image.width == first.width && image.height == first.height) continue;
    throw UsageError(Concat("expected images of one size, found ", first.width,
                            " × ", first.height, " and ", image.width, " × ",
                            image.height));
  }
  const auto count = static_cast<int64_t>(images.size());
  columns = std::min(columns, count);
  const int64_t zoom = (kLeastWidth + first.width - 1) / first.width;
  const Layout layout{columns,
                      (count + columns - 1) / columns,
                      zoom,
                      zoom * first.width,
                      zoom * first.height,
                      captioned ? kCaptionHeight : 0};
  if (layout.width() > kMaxPixels / layout.height()) {
    throw UsageError(Concat("a grid of ", count, " images in ", columns,
                            " columns is too large"));
  }
  return layout;
}

Image Captions(const Layout& layout, const std::vector<std::string>& captions) {
  Canvas canvas(Canvas::Format::kPixels, layout.width(), layout.height());
  // What fits under a tile, by the width of a letter on average.
  const auto room = static_cast<size_t>(static_cast<double>(layout.tile_width) /
                                        (0.6 * kFontSize));
  for (size_t i = 0; i < captions.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    const auto x = static_cast<double>(layout.left(index)) +
                   static_cast<double>(layout.tile_width) / 2;
    const auto y = static_cast<double>(layout.top(index) + layout.tile_height) +
                   kCaptionHeight / 2.0 + 1;
    canvas.Text({x, y}, Shortened(captions[i], room),
                {.size = kFontSize, .align = 0.5});
  }
  return canvas.TakePixels();
}

void Paste(const Image& image, int64_t zoom, int64_t left, int64_t top,
           Image& sheet) {
  for (int64_t y = 0; y < image.height * zoom; ++y) {
    for (int64_t x = 0; x < image.width * zoom; ++x) {
      const int64_t from = (y / zoom) * image.width + x / zoom;
      const int64_t to = (top + y) * sheet.width + left + x;
      std::copy_n(image.rgb.begin() + 3 * from, 3, sheet.rgb.begin() + 3 * to);
    }
  }
}

Image Blank(const Layout& layout) {
  return {layout.width(), layout.height(),
          std::vector<uint8_t>(
              static_cast<size_t>(3 * layout.width() * layout.height()), 255)};
}

}  // namespace

Image Grid(const std::vector<Image>& images, int64_t columns,
           const std::vector<std::string>& captions) {
  if (!captions.empty() && captions.size() != images.size()) {
    throw UsageError(Concat("expected a caption for each of ", images.size(),
                            " images, found ", captions.size()));
  }
  const Layout layout = LayOut(images, columns, !captions.empty());
  Image sheet = captions.empty() ? Blank(layout) : Captions(layout, captions);
  for (size_t i = 0; i < images.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    Paste(images[i], layout.zoom, layout.left(index), layout.top(index), sheet);
  }
  return sheet;
}

}  // namespace alexnet
