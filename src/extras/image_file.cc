// SPDX-License-Identifier: MIT
#include "extras/image_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "alexnet/error.h"
#include "extras/image_codec.h"
#include "io/atomic_file.h"

namespace alexnet {
namespace {

constexpr uintmax_t kMaxFileBytes = uintmax_t{1} << 30;
constexpr std::array<uint8_t, 3> kJpegStart{0xFF, 0xD8, 0xFF};
constexpr std::array<uint8_t, 8> kPngStart{0x89, 'P',  'N',  'G',
                                           '\r', '\n', 0x1A, '\n'};

std::vector<uint8_t> ReadBytes(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw Error("expected a JPEG or PNG file, found a folder");
  }
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw Error(error.message());
  if (size > kMaxFileBytes) {
    throw Error(
        Concat("expected at most ", kMaxFileBytes, " bytes, found ", size));
  }
  std::vector<uint8_t> bytes(size);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(bytes.data()),
                 static_cast<std::streamsize>(size))) {
    throw Error(errno != 0 ? std::strerror(errno) : "cannot be read");
  }
  return bytes;
}

template <size_t N>
bool StartsWith(std::span<const uint8_t> bytes,
                const std::array<uint8_t, N>& start) {
  return bytes.size() >= N &&
         std::equal(start.begin(), start.end(), bytes.begin());
}

Image Decode(std::span<const uint8_t> bytes) {
  if (StartsWith(bytes, kJpegStart)) return DecodeJpeg(bytes);
  if (StartsWith(bytes, kPngStart)) return DecodePng(bytes);
  if (bytes.empty()) throw Error("the file is empty");
  throw Error("neither JPEG nor PNG by its first bytes");
}

}  // namespace

Image ReadImage(const std::filesystem::path& path) {
  try {
    return Decode(ReadBytes(path));
  } catch (const Error& error) {
    throw Error(Concat(path.string(), ": ", error.what()));
  }
}

void WritePng(const std::filesystem::path& path, const Image& image) {
  WriteFileAtomically(path, EncodePng(image));
}

void CheckImageSize(uint64_t width, uint64_t height) {
  if (width == 0 || height == 0 || width > kMaxPixels / height) {
    throw Error(Concat("expected 1 to ", kMaxPixels, " pixels, found ", width,
                       " × ", height));
  }
}

std::vector<uint8_t> ToPlanar(const Image& image) {
  const size_t pixels = image.rgb.size() / 3;
  std::vector<uint8_t> planes(3 * pixels);
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = 0; i < pixels; ++i) {
      planes[c * pixels + i] = image.rgb[3 * i + c];
    }
  }
  return planes;
}

Image FromPlanar(std::span<const uint8_t> planes, Size2 size) {
  const auto pixels = static_cast<size_t>(size.height * size.width);
  ALEXNET_CHECK(planes.size() == 3 * pixels);
  Image image{size.width, size.height, std::vector<uint8_t>(planes.size())};
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = 0; i < pixels; ++i) {
      image.rgb[3 * i + c] = planes[c * pixels + i];
    }
  }
  return image;
}

}  // namespace alexnet
