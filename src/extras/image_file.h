// SPDX-License-Identifier: MIT
// Pictures from JPEG and PNG files, with the pixels that Pillow's
// Image.open(path).convert("RGB") gives: alpha is dropped, not blended, gamma
// and colour profiles are ignored, an EXIF orientation is not applied. One
// exception: of 16-bit grey the high byte is kept, as of 16-bit colour, where
// Pillow turns every value above 255 white.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "alexnet/model.h"

namespace alexnet {

struct Image {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rgb;  // height × width × 3, interleaved
};

// What a file may claim before anything is allocated for it.
inline constexpr int64_t kMaxPixels = 100'000'000;

// JPEG or PNG, told apart by content. Throws Error naming the file and the
// reason; a file that ends too early is never returned in part.
Image ReadImage(const std::filesystem::path& path);

// The file appears whole or not at all.
void WritePng(const std::filesystem::path& path, const Image& image);

// Between interleaved pixels and the planes of a data set.
std::vector<uint8_t> ToPlanar(const Image& image);
Image FromPlanar(std::span<const uint8_t> planes, Size2 size);

}  // namespace alexnet
