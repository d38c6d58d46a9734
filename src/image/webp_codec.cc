// SPDX-License-Identifier: MIT
#include <webp/decode.h>

#include "alexnet/error.h"
#include "image/image_codec.h"

namespace alexnet {

Image DecodeWebp(std::span<const uint8_t> bytes, int64_t max_pixels) {
  WebPBitstreamFeatures features{};
  if (WebPGetFeatures(bytes.data(), bytes.size(), &features) != VP8_STATUS_OK) {
    throw Error("WebP: the header is damaged");
  }
  if (features.has_animation != 0) {
    throw Error("WebP: animations are not read");
  }
  CheckImageSize(static_cast<uint64_t>(features.width),
                 static_cast<uint64_t>(features.height), max_pixels);
  Image image{features.width, features.height, {}};
  const auto row = static_cast<size_t>(features.width) * 3;
  image.rgb.resize(row * static_cast<size_t>(features.height));
  if (WebPDecodeRGBInto(bytes.data(), bytes.size(), image.rgb.data(),
                        image.rgb.size(), static_cast<int>(row)) == nullptr) {
    throw Error("WebP: the picture is damaged or ends too early");
  }
  return image;
}

}  // namespace alexnet
