// SPDX-License-Identifier: MIT
// PBM, PGM and PPM, plain and raw (P1 to P6), up to 16 bits a sample.
#include <cmath>

#include "alexnet/error.h"
#include "image/image_codec.h"

namespace alexnet {
namespace {

constexpr uint32_t kMaxNumber = 100'000'000;

bool IsSpace(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsDigit(uint8_t c) { return c >= '0' && c <= '9'; }

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : left_(bytes) {}

  // A number after white space and comments.
  uint32_t Number() {
    SkipSpace();
    if (left_.empty() || !IsDigit(left_.front())) Damaged("expected a number");
    uint32_t value = 0;
    while (!left_.empty() && IsDigit(left_.front())) {
      value = 10 * value + (Take() - uint32_t{'0'});
      if (value > kMaxNumber) Damaged("a number is too large");
    }
    return value;
  }

  // A plain bitmap needs no space between its digits.
  uint32_t Bit() {
    SkipSpace();
    if (left_.empty()) Damaged("the file ends too early");
    const uint8_t c = Take();
    if (c != '0' && c != '1') Damaged("expected 0 or 1");
    return c - uint32_t{'0'};
  }

  uint8_t Take() {
    if (left_.empty()) Damaged("the file ends too early");
    const uint8_t byte = left_.front();
    left_ = left_.subspan(1);
    return byte;
  }

  std::span<const uint8_t> left() const { return left_; }

 private:
  [[noreturn]] static void Damaged(const char* what) {
    throw Error(Concat("PPM: ", what));
  }
  void SkipSpace() {
    while (!left_.empty()) {
      if (left_.front() == '#') {
        while (!left_.empty() && left_.front() != '\n') Take();
      } else if (!IsSpace(left_.front())) {
        return;
      } else {
        Take();
      }
    }
  }

  std::span<const uint8_t> left_;
};

struct Format {
  bool raw = false;
  bool bitmap = false;
  size_t channels = 1;
  uint32_t most = 1;  // the value of white
};

// As Pillow scales: to the nearest, of two to the even one.
uint8_t ToByte(uint32_t value, uint32_t most) {
  if (value >= most) return 255;
  if (most == 255) return static_cast<uint8_t>(value);
  return static_cast<uint8_t>(std::nearbyint(
      static_cast<double>(value) / static_cast<double>(most) * 255.0));
}

uint8_t Sample(Reader& reader, const Format& format) {
  if (!format.raw) {
    return format.bitmap ? static_cast<uint8_t>(reader.Bit() ? 0 : 255)
                         : ToByte(reader.Number(), format.most);
  }
  uint32_t value = reader.Take();
  if (format.most > 255) value = value << 8 | reader.Take();
  return ToByte(value, format.most);
}

void ReadBitmapRow(Reader& reader, std::span<uint8_t> row) {
  uint8_t bits = 0;
  for (size_t x = 0; x < row.size(); ++x) {
    if (x % 8 == 0) bits = reader.Take();
    row[x] = (bits >> (7 - x % 8) & 1) ? 0 : 255;
  }
}

// Of the samples of a whole row.
void ReadRow(Reader& reader, const Format& format, std::span<uint8_t> row) {
  if (format.bitmap && format.raw) return ReadBitmapRow(reader, row);
  for (uint8_t& sample : row) sample = Sample(reader, format);
}

}  // namespace

Image DecodePnm(std::span<const uint8_t> bytes, int64_t max_pixels) {
  Reader reader(bytes.subspan(2));
  const int kind = bytes[1] - '0';
  Format format;
  format.raw = kind > 3;
  format.bitmap = kind == 1 || kind == 4;
  format.channels = kind == 3 || kind == 6 ? 3 : 1;
  const size_t width = reader.Number();
  const size_t height = reader.Number();
  CheckImageSize(width, height, max_pixels);
  if (!format.bitmap) format.most = reader.Number();
  if (format.most < 1 || format.most > 65535) {
    throw Error(Concat("PPM: white is ", format.most, ", expected 1 to 65535"));
  }
  if (format.raw) reader.Take();  // exactly one white space
  // Every sample takes a bit at least: nothing is allocated for a lie.
  if (reader.left().size() < width * height * format.channels / 8) {
    throw Error("PPM: the file ends too early");
  }
  Image image{static_cast<int64_t>(width), static_cast<int64_t>(height),
              std::vector<uint8_t>(3 * width * height)};
  std::vector<uint8_t> row(width * format.channels);
  for (size_t y = 0; y < height; ++y) {
    ReadRow(reader, format, row);
    uint8_t* out = image.rgb.data() + 3 * width * y;
    for (size_t i = 0; i < 3 * width; ++i) {
      out[i] = row[format.channels == 3 ? i : i / 3];
    }
  }
  return image;
}

}  // namespace alexnet
