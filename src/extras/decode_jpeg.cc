// SPDX-License-Identifier: MIT
// libjpeg reports errors by a call that must not return. The functions that
// set the jump's target therefore own nothing: what has a destructor lives in
// their callers.
#include <cstdio>
// jpeglib.h needs FILE declared before it.
#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>

#include "alexnet/error.h"
#include "extras/image_codec.h"

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

// `channels` interleaved bytes a pixel.
bool ReadPixels(Decoder& decoder, int channels, std::span<uint8_t> pixels) {
  if (setjmp(decoder.on_error) != 0) return false;
  jpeg_decompress_struct& info = decoder.info;
  info.out_color_space = channels == 1   ? JCS_GRAYSCALE
                         : channels == 3 ? JCS_RGB
                                         : JCS_CMYK;
  jpeg_start_decompress(&info);
  const size_t row_bytes = size_t{info.output_width} * size_t(channels);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = pixels.data() + info.output_scanline * row_bytes;
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

}  // namespace

Image DecodeJpeg(std::span<const uint8_t> bytes) {
  Decoder decoder;
  Expect(ReadHeader(decoder, bytes), decoder);
  const jpeg_decompress_struct& info = decoder.info;
  CheckImageSize(info.image_width, info.image_height);
  const int channels = info.num_components;
  if (channels != 1 && channels != 3 && channels != 4) {
    throw Error(Concat("expected a JPEG file of 1, 3 or 4 components, found ",
                       channels));
  }
  std::vector<uint8_t> pixels(size_t{info.image_width} * info.image_height *
                              static_cast<size_t>(channels));
  Expect(ReadPixels(decoder, channels, pixels), decoder);
  return {info.image_width, info.image_height,
          ToRgb(std::move(pixels), channels)};
}

}  // namespace alexnet
