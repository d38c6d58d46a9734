// SPDX-License-Identifier: MIT
// libjpeg reports errors by a call that must not return. The functions that
// set the jump's target therefore own nothing: what has a destructor lives in
// their callers.
#include <cstdio>
// jpeglib.h needs FILE declared before it.
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>

#include "alexnet/error.h"
#include "image/image_codec.h"

namespace alexnet {
namespace {

// A progressive file of this many scans takes long to decode however small it
// is; encoders write about ten.
constexpr int kMaxScans = 500;

struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf on_error;
  char reason[JMSG_LENGTH_MAX] = {};

  Decoder() {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr common) {
      auto* self = static_cast<Decoder*>(common->client_data);
      common->err->format_message(common, self->reason);
      std::longjmp(self->on_error, 1);
    };
    // Other damage is decoded as Pillow decodes it; data that ends early is
    // refused.
    errors.emit_message = [](j_common_ptr common, int) {
      const int code = common->err->msg_code;
      if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER) {
        common->err->error_exit(common);
      }
    };
    progress.progress_monitor = [](j_common_ptr common) {
      auto* self = static_cast<Decoder*>(common->client_data);
      if (self->info.input_scan_number <= kMaxScans) return;
      std::snprintf(self->reason, sizeof(self->reason),
                    "a JPEG file of more than %d scans", kMaxScans);
      std::longjmp(self->on_error, 1);
    };
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { jpeg_destroy_decompress(&info); }
};

bool ReadHeader(Decoder& decoder, std::span<const uint8_t> bytes) {
  if (setjmp(decoder.on_error) != 0) return false;
  jpeg_create_decompress(&decoder.info);
  decoder.info.progress = &decoder.progress;
  jpeg_mem_src(&decoder.info, bytes.data(), bytes.size());
  jpeg_read_header(&decoder.info, TRUE);
  return true;
}

// What to decode: with libjpeg's scale set, columns and rows of the output.
struct Window {
  JDIMENSION left = 0;
  JDIMENSION width = 0;
  JDIMENSION top = 0;
  JDIMENSION end = 0;
  bool to_the_end = true;  // read the rows after `end`, too
};

void ChooseColours(jpeg_decompress_struct& info, int channels) {
  info.out_color_space = channels == 1   ? JCS_GRAYSCALE
                         : channels == 3 ? JCS_RGB
                                         : JCS_CMYK;
}

// After it the output's size is known.
bool Start(Decoder& decoder, int channels, unsigned scale) {
  if (setjmp(decoder.on_error) != 0) return false;
  ChooseColours(decoder.info, channels);
  decoder.info.scale_num = scale;
  decoder.info.scale_denom = 8;
  jpeg_start_decompress(&decoder.info);
  return true;
}

// Widens the window to what libjpeg can cut out.
bool CutColumns(Decoder& decoder, Window& window) {
  if (setjmp(decoder.on_error) != 0) return false;
  if (window.width < decoder.info.output_width) {
    jpeg_crop_scanline(&decoder.info, &window.left, &window.width);
  }
  return true;
}

// `channels` interleaved bytes a pixel. `spare` has room for a row.
bool ReadPixels(Decoder& decoder, int channels, const Window& window,
                std::span<uint8_t> pixels, std::span<uint8_t> spare) {
  if (setjmp(decoder.on_error) != 0) return false;
  jpeg_decompress_struct& info = decoder.info;
  const size_t row_bytes = size_t{info.output_width} * size_t(channels);
  if (window.top > 0) jpeg_skip_scanlines(&info, window.top);
  while (info.output_scanline < window.end) {
    JSAMPROW row =
        pixels.data() + (info.output_scanline - window.top) * row_bytes;
    jpeg_read_scanlines(&info, &row, 1);
  }
  if (!window.to_the_end) return true;
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = spare.data();
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  return true;
}

void Expect(bool good, const Decoder& decoder) {
  if (!good) throw Error(decoder.reason);
}

// Files store CMYK inverted, by Adobe's custom. The arithmetic is Pillow's.
uint8_t InkOnBlack(int color, int black) {
  const int ink = 255 - color;
  const int product = ink * black + 128;
  return static_cast<uint8_t>(black - (((product >> 8) + product) >> 8));
}

std::vector<uint8_t> ToRgb(std::vector<uint8_t> pixels, int channels) {
  if (channels == 3) return pixels;
  const auto stride = static_cast<size_t>(channels);
  const size_t count = pixels.size() / stride;
  std::vector<uint8_t> rgb(3 * count);
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* pixel = &pixels[i * stride];
    for (size_t c = 0; c < 3; ++c) {
      rgb[3 * i + c] = channels == 1 ? *pixel : InkOnBlack(pixel[c], pixel[3]);
    }
  }
  return rgb;
}

// A whole file ends with this marker; junk may follow it.
bool EndIsThere(std::span<const uint8_t> bytes) {
  constexpr size_t kMostJunk = 1024;
  const size_t first =
      bytes.size() > kMostJunk ? bytes.size() - kMostJunk : size_t{0};
  for (size_t i = bytes.size(); i >= first + 2; --i) {
    if (bytes[i - 2] == 0xFF && bytes[i - 1] == JPEG_EOI) return true;
  }
  return false;
}

// In eighths: the least of 1, 2, 4 and 8 that leaves the part as large as
// asked for.
unsigned ScaleFor(const Box& box, const Size2& shrink_to) {
  if (shrink_to.width < 1 || shrink_to.height < 1) return 8;
  for (const unsigned scale : {1U, 2U, 4U}) {
    if (box.width * scale / 8 >= shrink_to.width &&
        box.height * scale / 8 >= shrink_to.height) {
      return scale;
    }
  }
  return 8;
}

// The box at `scale` eighths, within the output.
Box Scaled(const Box& box, unsigned scale, const jpeg_decompress_struct& info) {
  if (scale == 8) return box;
  Box scaled = {box.left * scale / 8, box.top * scale / 8,
                std::max(box.width * scale / 8, int64_t{1}),
                std::max(box.height * scale / 8, int64_t{1})};
  scaled.left = std::min(scaled.left, info.output_width - scaled.width);
  scaled.top = std::min(scaled.top, info.output_height - scaled.height);
  return scaled;
}

// libjpeg interpolates colours across what was cut off. With this many pixels
// to spare (the largest block of colour) the box itself comes out as if the
// whole picture had been decoded.
constexpr int64_t kMargin = 32;

Window WindowAround(const Box& box, const jpeg_decompress_struct& info,
                    bool to_the_end) {
  const auto clip = [](int64_t at, JDIMENSION most) {
    return static_cast<JDIMENSION>(
        std::clamp(at, int64_t{0}, static_cast<int64_t>(most)));
  };
  Window window;
  window.left = clip(box.left - kMargin, info.output_width);
  window.width =
      clip(box.left + box.width + kMargin, info.output_width) - window.left;
  window.top = clip(box.top - kMargin, info.output_height);
  window.end = clip(box.top + box.height + kMargin, info.output_height);
  window.to_the_end = to_the_end || window.end == info.output_height;
  return window;
}

int CheckedChannels(const jpeg_decompress_struct& info) {
  const int channels = info.num_components;
  if (channels != 1 && channels != 3 && channels != 4) {
    throw Error(Concat("expected a JPEG file of 1, 3 or 4 components, found ",
                       channels));
  }
  return channels;
}

}  // namespace

ImagePart DecodeJpegPart(std::span<const uint8_t> bytes,
                         const ChooseBox& choose,
                         const DecodeOptions& options) {
  Decoder decoder;
  Expect(ReadHeader(decoder, bytes), decoder);
  const jpeg_decompress_struct& info = decoder.info;
  CheckImageSize(info.image_width, info.image_height, options.max_pixels);
  const int channels = CheckedChannels(info);
  ImagePart part;
  part.full_size = {info.image_height, info.image_width};
  part.chosen = choose(part.full_size);
  const unsigned scale = ScaleFor(part.chosen, options.shrink_to);
  Expect(Start(decoder, channels, scale), decoder);
  part.box = Scaled(part.chosen, scale, info);
  Window window = WindowAround(part.box, info, !EndIsThere(bytes));
  // Of several scans, none of which is the picture, all must be read anyway.
  if (info.buffered_image || jpeg_has_multiple_scans(&decoder.info)) {
    window = {0, info.output_width, 0, info.output_height, true};
  }
  Expect(CutColumns(decoder, window), decoder);
  const size_t row = size_t{info.output_width} * static_cast<size_t>(channels);
  std::vector<uint8_t> pixels(row * (window.end - window.top));
  std::vector<uint8_t> spare(row);
  Expect(ReadPixels(decoder, channels, window, pixels, spare), decoder);
  part.box.left -= window.left;
  part.box.top -= window.top;
  part.image = {info.output_width, window.end - window.top,
                ToRgb(std::move(pixels), channels)};
  return part;
}

Image DecodeJpeg(std::span<const uint8_t> bytes, int64_t max_pixels) {
  const ChooseBox all = [](Size2 size) {
    return Box{0, 0, size.width, size.height};
  };
  return DecodeJpegPart(bytes, all, {.max_pixels = max_pixels}).image;
}

}  // namespace alexnet
