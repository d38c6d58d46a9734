// SPDX-License-Identifier: MIT
// TIFF of 1 to 8 bits a sample, through libtiff's reader of whatever becomes
// RGB. The first picture of the file.
#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "alexnet/error.h"
#include "image/image_codec.h"

namespace alexnet {
namespace {

struct Source {
  std::span<const uint8_t> bytes;
  uint64_t at = 0;
};

tmsize_t Read(thandle_t handle, void* out, tmsize_t count) {
  auto* source = static_cast<Source*>(handle);
  const uint64_t size = source->bytes.size();
  const uint64_t left = source->at < size ? size - source->at : 0;
  const uint64_t taken = std::min(left, static_cast<uint64_t>(count));
  if (taken > 0) {
    std::memcpy(out, source->bytes.data() + source->at, taken);
  }
  source->at += taken;
  return static_cast<tmsize_t>(taken);
}

tmsize_t RefuseWrite(thandle_t, void*, tmsize_t) { return 0; }

toff_t Seek(thandle_t handle, toff_t offset, int whence) {
  auto* source = static_cast<Source*>(handle);
  if (whence == SEEK_CUR) offset += source->at;
  if (whence == SEEK_END) offset += source->bytes.size();
  source->at = offset;
  return offset;
}

int Close(thandle_t) { return 0; }

toff_t SizeOf(thandle_t handle) {
  return static_cast<Source*>(handle)->bytes.size();
}

// The library's messages go nowhere: it has one handler for all threads.
void BeSilent() {
  static const bool once = [] {
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

Image DecodeTiff(std::span<const uint8_t> bytes, int64_t max_pixels) {
  BeSilent();
  Source source{bytes};
  const std::unique_ptr<TIFF, decltype(&TIFFClose)> tiff(
      TIFFClientOpen("memory", "rm", &source, Read, RefuseWrite, Seek, Close,
                     SizeOf, nullptr, nullptr),
      TIFFClose);
  if (!tiff) throw Error("TIFF: the header is damaged");
  uint32_t width = 0;
  uint32_t height = 0;
  uint16_t bits = 1;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_BITSPERSAMPLE, &bits);
  CheckImageSize(width, height, max_pixels);
  if (bits > 8) {
    throw Error(Concat("TIFF: expected 1 to 8 bits a sample, found ", bits));
  }
  // libtiff takes memory for a whole tile or strip, whatever the size of the
  // picture.
  const uint64_t piece = TIFFIsTiled(tiff.get()) != 0
                             ? TIFFTileSize64(tiff.get())
                             : TIFFStripSize64(tiff.get());
  if (piece > 4 * static_cast<uint64_t>(max_pixels)) {
    throw Error(Concat("TIFF: a tile or strip has ", piece,
                       " bytes, too many for a picture"));
  }
  char reason[1024] = {};
  if (TIFFRGBAImageOK(tiff.get(), reason) == 0) {
    throw Error(Concat("TIFF: ", reason));
  }
  std::vector<uint32_t> pixels(size_t{width} * height);
  if (TIFFReadRGBAImageOriented(tiff.get(), width, height, pixels.data(),
                                ORIENTATION_TOPLEFT,
                                /*stop_on_error=*/1) == 0) {
    throw Error("TIFF: the picture is damaged or ends too early");
  }
  Image image{width, height, std::vector<uint8_t>(3 * pixels.size())};
  for (size_t i = 0; i < pixels.size(); ++i) {
    image.rgb[3 * i] = static_cast<uint8_t>(TIFFGetR(pixels[i]));
    image.rgb[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(pixels[i]));
    image.rgb[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(pixels[i]));
  }
  return image;
}

}  // namespace alexnet
