// SPDX-License-Identifier: MIT
// The decoders and the encoder behind image_file.h, on bytes in memory. Their
// errors give the reason only; ReadImage adds the file's name.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "image/image_file.h"

namespace alexnet {

ImagePart DecodeJpegPart(std::span<const uint8_t> bytes,
                         const ChooseBox& choose, const DecodeOptions& options);
Image DecodeJpeg(std::span<const uint8_t> bytes,
                 int64_t max_pixels = kMaxPixels);
Image DecodePng(std::span<const uint8_t> bytes,
                int64_t max_pixels = kMaxPixels);
Image DecodePnm(std::span<const uint8_t> bytes, int64_t max_pixels);
Image DecodeBmp(std::span<const uint8_t> bytes, int64_t max_pixels);
Image DecodeTiff(std::span<const uint8_t> bytes, int64_t max_pixels);
Image DecodeWebp(std::span<const uint8_t> bytes, int64_t max_pixels);
std::string EncodePng(const Image& image);

// Throws Error unless 1 ≤ width × height ≤ max_pixels.
void CheckImageSize(uint64_t width, uint64_t height,
                    int64_t max_pixels = kMaxPixels);

}  // namespace alexnet
