// SPDX-License-Identifier: MIT
// Little-endian numbers in files, and file text made fit for messages.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace alexnet {

static_assert(std::endian::native == std::endian::little,
              "file formats here are read and written as they lie in memory");

// The number at the front of `bytes`, which has sizeof(T) of them or more.
template <class T>
requires std::is_arithmetic_v<T> T
LoadLittle(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

template <class T>
requires std::is_arithmetic_v<T>
void AppendLittle(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

inline std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// CRC-32 of zip and zlib; `crc` continues an earlier one.
uint32_t Crc32(std::span<const std::byte> bytes, uint32_t crc = 0);

// 'text' in quotes, at most 100 bytes of it, control characters escaped: what
// a hostile file says must not reach the terminal as it is.
std::string Quoted(std::string_view text);

}  // namespace alexnet
