// SPDX-License-Identifier: MIT
// The decoders and the encoder behind image_file.h, on bytes in memory. Their
// errors give the reason only; ReadImage adds the file's name.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "extras/image_file.h"

namespace alexnet {

Image DecodeJpeg(std::span<const uint8_t> bytes);
Image DecodePng(std::span<const uint8_t> bytes);
std::string EncodePng(const Image& image);

// Throws Error unless 1 ≤ width × height ≤ kMaxPixels.
void CheckImageSize(uint64_t width, uint64_t height);

}  // namespace alexnet
