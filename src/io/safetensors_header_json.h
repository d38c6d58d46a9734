// SPDX-License-Identifier: MIT
// The JSON header of a safetensors file as plain data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace alexnet {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;           // "F32"
  std::vector<int64_t> shape;  // not negative
  uint64_t begin = 0;          // in the body
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::vector<SafetensorsEntry> entries;  // in the order of the text
};

// Takes exactly the format's grammar: nothing missing, nothing twice, nothing
// else. What the numbers mean is not checked. Memory is bounded by a small
// multiple of the text.
SafetensorsHeader ParseSafetensorsHeader(const std::string& text,
                                         const std::string& file_name);

// Without padding. `first` is written in front of the metadata's other keys,
// in the order given. Throws Error for text that is not UTF-8.
std::string WriteSafetensorsHeader(
    const std::vector<std::pair<std::string, std::string>>& first,
    const SafetensorsHeader& header, const std::string& file_name);

}  // namespace alexnet
