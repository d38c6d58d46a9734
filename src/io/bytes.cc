// SPDX-License-Identifier: MIT
#include "io/bytes.h"

#include <zlib.h>

#include <algorithm>

namespace alexnet {

uint32_t Crc32(std::span<const std::byte> bytes, uint32_t crc) {
  return static_cast<uint32_t>(
      crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string Quoted(std::string_view text) {
  constexpr size_t kLongest = 100;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text.substr(0, kLongest)) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7F) {
      out += {'\\', 'x', kHex[code >> 4], kHex[code & 15]};
    } else {
      out += c;
    }
  }
  return out + (text.size() > kLongest ? "…'" : "'");
}

}  // namespace alexnet
