// SPDX-License-Identifier: MIT
#include "image/image_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "alexnet/error.h"
#include "image/image_codec.h"
#include "io/atomic_file.h"

namespace alexnet {
namespace {

constexpr uintmax_t kMaxFileBytes = uintmax_t{1} << 30;
constexpr std::array<uint8_t, 3> kJpegStart{0xFF, 0xD8, 0xFF};
constexpr std::array<uint8_t, 8> kPngStart{0x89, 'P',  'N',  'G',
                                           '\r', '\n', 0x1A, '\n'};

constexpr std::array<uint8_t, 2> kBmpStart{'B', 'M'};
constexpr std::array<uint8_t, 4> kTiffLittle{'I', 'I', 42, 0};
constexpr std::array<uint8_t, 4> kTiffBig{'M', 'M', 0, 42};
constexpr std::array<uint8_t, 4> kRiffStart{'R', 'I', 'F', 'F'};

// Closes itself.
struct Descriptor {
  int value;
  explicit Descriptor(const char* path)
      : value(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (value < 0) throw Error(std::strerror(errno));
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(value); }
};

void ReadAll(int descriptor, std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::read(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error(std::strerror(errno));
    if (count == 0) throw Error("became shorter while it was read");
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

template <size_t N>
bool StartsWith(std::span<const uint8_t> bytes,
                const std::array<uint8_t, N>& start) {
  return bytes.size() >= N &&
         std::equal(start.begin(), start.end(), bytes.begin());
}

bool IsPnm(std::span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 'P' && bytes[1] >= '1' &&
         bytes[1] <= '6';
}

bool IsWebp(std::span<const uint8_t> bytes) {
  return bytes.size() >= 12 && StartsWith(bytes, kRiffStart) &&
         std::memcmp(bytes.data() + 8, "WEBP", 4) == 0;
}

// All but JPEG, which can be decoded in part.
Image DecodeWhole(std::span<const uint8_t> bytes, int64_t max_pixels) {
  if (StartsWith(bytes, kPngStart)) return DecodePng(bytes, max_pixels);
  if (IsPnm(bytes)) return DecodePnm(bytes, max_pixels);
  if (StartsWith(bytes, kBmpStart)) return DecodeBmp(bytes, max_pixels);
  if (StartsWith(bytes, kTiffLittle) || StartsWith(bytes, kTiffBig)) {
    return DecodeTiff(bytes, max_pixels);
  }
  if (IsWebp(bytes)) return DecodeWebp(bytes, max_pixels);
  if (bytes.empty()) throw Error("the file is empty");
  throw Error(
      "neither JPEG nor PNG, PPM, BMP, TIFF or WebP by its first bytes");
}

Box WholeOf(Size2 size) { return {0, 0, size.width, size.height}; }

}  // namespace

std::vector<uint8_t> ReadPictureBytes(const std::filesystem::path& path) {
  const Descriptor file(path.c_str());
  struct stat info {};
  if (::fstat(file.value, &info) != 0) throw Error(std::strerror(errno));
  if (S_ISDIR(info.st_mode)) {
    throw Error("expected a picture file, found a folder");
  }
  if (!S_ISREG(info.st_mode)) throw Error("expected a file");
  const auto size = static_cast<uintmax_t>(info.st_size);
  if (size > kMaxFileBytes) {
    throw Error(
        Concat("expected at most ", kMaxFileBytes, " bytes, found ", size));
  }
  std::vector<uint8_t> bytes(size);
  ReadAll(file.value, bytes);
  return bytes;
}

ImagePart DecodePart(std::span<const uint8_t> bytes, const ChooseBox& choose,
                     const DecodeOptions& options) {
  if (StartsWith(bytes, kJpegStart)) {
    return DecodeJpegPart(bytes, choose, options);
  }
  ImagePart part;
  part.image = DecodeWhole(bytes, options.max_pixels);
  part.full_size = {part.image.height, part.image.width};
  part.chosen = choose(part.full_size);
  part.box = part.chosen;
  return part;
}

Image ReadImage(const std::filesystem::path& path,
                const DecodeOptions& options) {
  try {
    return DecodePart(ReadPictureBytes(path), WholeOf, options).image;
  } catch (const Error& error) {
    throw Error(Concat(path.string(), ": ", error.what()));
  }
}

void WritePng(const std::filesystem::path& path, const Image& image) {
  WriteFileAtomically(path, EncodePng(image));
}

void CheckImageSize(uint64_t width, uint64_t height, int64_t max_pixels) {
  const auto most = static_cast<uint64_t>(max_pixels);
  if (width == 0 || height == 0 || width > most / height) {
    throw Error(Concat("expected 1 to ", max_pixels, " pixels, found ", width,
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
