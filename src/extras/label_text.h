// SPDX-License-Identifier: MIT
// Numbers and names as they stand in pictures, whatever the locale.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>

namespace alexnet {

// 1234567 as "1,234,567".
inline std::string Grouped(int64_t value) {
  std::string text = std::to_string(value);
  const auto digits_start = text[0] == '-' ? 1 : 0;
  for (auto i = static_cast<std::ptrdiff_t>(text.size()) - 3; i > digits_start;
       i -= 3) {
    text.insert(static_cast<size_t>(i), 1, ',');
  }
  return text;
}

inline std::string Fixed(double value, int decimals) {
  char buffer[400];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                                 std::chars_format::fixed, decimals);
  return {buffer, end.ptr};
}

// Up to `digits` significant digits, with an exponent where it is shorter.
inline std::string General(double value, int digits) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                                 std::chars_format::general, digits);
  return {buffer, end.ptr};
}

// At most `room` characters, with an ellipsis where some are left out.
inline std::string Shortened(const std::string& text, size_t room) {
  size_t characters = 0;
  size_t end = 0;  // of the first room − 1 characters
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && ++characters == room) end = i;
  }
  return characters <= room ? text : text.substr(0, end) + "…";
}

}  // namespace alexnet
