// SPDX-License-Identifier: MIT
// Uncompressed BMP of 1, 4, 8, 24 or 32 bits a pixel.
#include <cstdlib>

#include "alexnet/error.h"
#include "image/image_codec.h"
#include "io/bytes.h"

namespace alexnet {
namespace {

constexpr size_t kFileHeader = 14;
constexpr size_t kInfoHeader = 40;

template <class T>
T At(std::span<const uint8_t> bytes, size_t offset) {
  return LoadLittle<T>(std::as_bytes(bytes.subspan(offset)));
}

struct Header {
  size_t pixels = 0;   // where they begin
  size_t palette = 0;  // where that begins
  size_t colours = 0;  // in the palette
  int64_t width = 0;
  int64_t height = 0;
  bool top_down = false;
  unsigned bits = 0;
};

Header ReadHeader(std::span<const uint8_t> bytes) {
  if (bytes.size() < kFileHeader + kInfoHeader) {
    throw Error("BMP: the file ends too early");
  }
  Header header;
  const auto info_size = At<uint32_t>(bytes, 14);
  const auto height = At<int32_t>(bytes, 22);
  header.pixels = At<uint32_t>(bytes, 10);
  header.width = At<int32_t>(bytes, 18);
  header.height = std::abs(int64_t{height});
  header.top_down = height < 0;
  header.bits = At<uint16_t>(bytes, 28);
  if (info_size < kInfoHeader || info_size > bytes.size() - kFileHeader) {
    throw Error(Concat("BMP: header of ", info_size, " bytes, expected ",
                       kInfoHeader, " or more"));
  }
  if (const auto compression = At<uint32_t>(bytes, 30); compression != 0) {
    throw Error(
        Concat("BMP: compression ", compression, ", expected none (0)"));
  }
  header.palette = kFileHeader + info_size;
  header.colours = At<uint32_t>(bytes, 46);
  return header;
}

void CheckBits(Header& header, size_t file_size) {
  const unsigned bits = header.bits;
  if (bits != 1 && bits != 4 && bits != 8 && bits != 24 && bits != 32) {
    throw Error(
        Concat("BMP: ", bits, " bits a pixel, expected 1, 4, 8, 24 or 32"));
  }
  if (bits > 8) return;
  if (header.colours == 0) header.colours = size_t{1} << bits;
  if (header.colours > 256 || header.palette + 4 * header.colours > file_size) {
    throw Error(Concat("BMP: ", header.colours,
                       " colours in the palette, more than fit"));
  }
}

}  // namespace

Image DecodeBmp(std::span<const uint8_t> bytes, int64_t max_pixels) {
  Header header = ReadHeader(bytes);
  CheckImageSize(static_cast<uint64_t>(std::max(header.width, int64_t{0})),
                 static_cast<uint64_t>(header.height), max_pixels);
  CheckBits(header, bytes.size());
  const auto width = static_cast<size_t>(header.width);
  const auto height = static_cast<size_t>(header.height);
  const size_t row_bytes = (width * header.bits + 31) / 32 * 4;
  if (header.pixels > bytes.size() ||
      (bytes.size() - header.pixels) / row_bytes < height) {
    throw Error("BMP: the file ends too early");
  }
  Image image{header.width, header.height,
              std::vector<uint8_t>(3 * width * height)};
  uint8_t* out = image.rgb.data();
  for (size_t y = 0; y < height; ++y) {
    const size_t stored = header.top_down ? y : height - 1 - y;
    const auto row = bytes.subspan(header.pixels + stored * row_bytes);
    for (size_t x = 0; x < width; ++x) {
      const uint8_t* colour = nullptr;  // blue, green, red
      if (header.bits > 8) {
        colour = &row[x * header.bits / 8];
      } else {
        const size_t bit = x * header.bits;
        const size_t index = (row[bit / 8] >> (8 - header.bits - bit % 8)) &
                             ((1U << header.bits) - 1);
        if (index >= header.colours) {
          throw Error(Concat("BMP: colour ", index, " of a palette of ",
                             header.colours));
        }
        colour = &bytes[header.palette + 4 * index];
      }
      *out++ = colour[2];
      *out++ = colour[1];
      *out++ = colour[0];
    }
  }
  return image;
}

}  // namespace alexnet
