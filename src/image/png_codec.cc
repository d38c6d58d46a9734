// SPDX-License-Identifier: MIT
// libpng reports errors by a call that must not return. The functions that
// set the jump's target therefore own nothing: what has a destructor lives in
// their callers.
#include <png.h>

#include <algorithm>
#include <cstdio>

#include "alexnet/error.h"
#include "image/image_codec.h"

namespace alexnet {
namespace {

// Where libpng's callbacks keep their state.
struct Stream {
  std::span<const uint8_t> in;
  std::string out;
  char reason[200] = {};
};

[[noreturn]] void Fail(png_structp png, png_const_charp message) {
  auto* stream = static_cast<Stream*>(png_get_error_ptr(png));
  std::snprintf(stream->reason, sizeof(stream->reason), "PNG: %s", message);
  png_longjmp(png, 1);
}

void Ignore(png_structp, png_const_charp) {}

void Take(png_structp png, png_bytep bytes, size_t count) {
  auto* stream = static_cast<Stream*>(png_get_io_ptr(png));
  if (count > stream->in.size()) png_error(png, "the file ends too early");
  std::copy_n(stream->in.begin(), count, bytes);
  stream->in = stream->in.subspan(count);
}

void Append(png_structp png, png_bytep bytes, size_t count) {
  auto* stream = static_cast<Stream*>(png_get_io_ptr(png));
  stream->out.append(reinterpret_cast<const char*>(bytes), count);
}

struct Reader {
  Stream stream;
  png_structp png = nullptr;
  png_infop info = nullptr;

  explicit Reader(std::span<const uint8_t> bytes) {
    stream.in = bytes;
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &stream, Fail, Ignore);
    info = png == nullptr ? nullptr : png_create_info_struct(png);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Writer {
  Stream stream;
  png_structp png = nullptr;
  png_infop info = nullptr;

  Writer() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &stream, Fail, Ignore);
    info = png == nullptr ? nullptr : png_create_info_struct(png);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

bool ReadHeader(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_read_fn(reader.png, &reader.stream, Take);
  png_read_info(reader.png, reader.info);
  return true;
}

// Rows of 8-bit RGB whatever the file holds.
bool StartPixels(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_strip_16(reader.png);
  png_set_packing(reader.png);
  const auto type = png_get_color_type(reader.png, reader.info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(reader.png);
  if ((type & PNG_COLOR_MASK_COLOR) == 0) {
    png_set_expand_gray_1_2_4_to_8(reader.png);
    png_set_gray_to_rgb(reader.png);
  }
  png_set_strip_alpha(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool ReadPixels(Reader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return true;
}

bool WriteAll(Writer& writer, const Image& image, png_bytepp rows) {
  if (setjmp(png_jmpbuf(writer.png)) != 0) return false;
  png_set_write_fn(writer.png, &writer.stream, Append, nullptr);
  png_set_IHDR(writer.png, writer.info, static_cast<png_uint_32>(image.width),
               static_cast<png_uint_32>(image.height), 8, PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(writer.png, writer.info);
  png_write_image(writer.png, rows);
  png_write_end(writer.png, nullptr);
  return true;
}

void Expect(bool good, const Stream& stream) {
  if (!good) throw Error(stream.reason);
}

std::vector<png_bytep> RowsOf(uint8_t* pixels, uint64_t width,
                              uint64_t height) {
  std::vector<png_bytep> rows(height);
  for (uint64_t y = 0; y < height; ++y) rows[y] = pixels + y * width * 3;
  return rows;
}

}  // namespace

Image DecodePng(std::span<const uint8_t> bytes, int64_t max_pixels) {
  Reader reader(bytes);
  if (reader.info == nullptr) throw Error("PNG: libpng cannot be set up");
  Expect(ReadHeader(reader), reader.stream);
  const uint64_t width = png_get_image_width(reader.png, reader.info);
  const uint64_t height = png_get_image_height(reader.png, reader.info);
  CheckImageSize(width, height, max_pixels);
  Expect(StartPixels(reader), reader.stream);
  ALEXNET_CHECK(png_get_rowbytes(reader.png, reader.info) == 3 * width);
  Image image{static_cast<int64_t>(width), static_cast<int64_t>(height),
              std::vector<uint8_t>(width * height * 3)};
  std::vector<png_bytep> rows = RowsOf(image.rgb.data(), width, height);
  Expect(ReadPixels(reader, rows.data()), reader.stream);
  return image;
}

std::string EncodePng(const Image& image) {
  const auto width = static_cast<uint64_t>(image.width);
  const auto height = static_cast<uint64_t>(image.height);
  CheckImageSize(width, height);
  ALEXNET_CHECK(image.rgb.size() == width * height * 3);
  Writer writer;
  if (writer.info == nullptr) throw Error("PNG: libpng cannot be set up");
  // libpng takes rows that it could change, and does not.
  std::vector<png_bytep> rows =
      RowsOf(const_cast<uint8_t*>(image.rgb.data()), width, height);
  Expect(WriteAll(writer, image, rows.data()), writer.stream);
  return std::move(writer.stream.out);
}

}  // namespace alexnet
