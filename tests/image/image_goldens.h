// SPDX-License-Identifier: MIT
// The pictures of tools/make_image_goldens.py and their checksums.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "extras/md5.h"
#include "image/image_file.h"

namespace alexnet::testing {

inline const std::filesystem::path kImageGoldens =
    std::filesystem::path(ALEXNET_GOLDEN_DIR) / "image";

inline std::string Md5Of(std::span<const uint8_t> bytes) {
  return Md5OfText({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

inline std::string PlanesMd5(const Image& image) {
  return Md5Of(ToPlanar(image));
}

}  // namespace alexnet::testing
