// SPDX-License-Identifier: MIT
// Pictures from JPEG, PNG, PPM, BMP, TIFF and WebP files, with the pixels that
// Pillow's Image.open(path).convert("RGB") gives: alpha is dropped, not
// blended, gamma and colour profiles are ignored, an EXIF orientation is not
// applied. One exception: of 16-bit grey the high byte is kept, as of 16-bit
// colour, where Pillow turns every value above 255 white.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "alexnet/dataset.h"

namespace alexnet {

struct Image {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rgb;  // height × width × 3, interleaved
};

// What a file may claim before anything is allocated for it.
inline constexpr int64_t kMaxPixels = 100'000'000;

struct DecodeOptions {
  int64_t max_pixels = kMaxPixels;
  // If given: JPEG files are decoded at 1/2, 1/4 or 1/8 of their size, by
  // libjpeg's DCT, where the chosen part then still has at least this size.
  // The pixels are no longer Pillow's.
  Size2 shrink_to = {0, 0};
};

// A part of a picture. The pixels around `box`, if there are any, may or may
// not be decoded.
struct ImagePart {
  Image image;
  Box box;          // of `image`
  Box chosen;       // of the picture at its full size
  Size2 full_size;  // of the picture
};

// Told apart by content. The errors give the reason only. A file that ends too
// early is never returned in part; of a JPEG file no more is decoded than
// the part needs, so that other damage after it goes unnoticed.
ImagePart DecodePart(std::span<const uint8_t> bytes, const ChooseBox& choose,
                     const DecodeOptions& options = {});

// The whole picture; Error naming the file and the reason.
Image ReadImage(const std::filesystem::path& path,
                const DecodeOptions& options = {});

// The bytes of a file, for DecodePart.
std::vector<uint8_t> ReadPictureBytes(const std::filesystem::path& path);

// The file appears whole or not at all.
void WritePng(const std::filesystem::path& path, const Image& image);

// Between interleaved pixels and the planes of a data set.
std::vector<uint8_t> ToPlanar(const Image& image);
Image FromPlanar(std::span<const uint8_t> planes, Size2 size);

}  // namespace alexnet
