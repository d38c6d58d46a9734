// SPDX-License-Identifier: MIT
// The lines of a list of pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace alexnet {

// Ten times those of the largest set in use.
inline constexpr int64_t kMaxClasses = 220'000;

struct ListedPicture {
  std::string path;
  std::string label;
  int64_t line = 0;
};

std::vector<ListedPicture> ReadListedPictures(
    const std::filesystem::path& file);

bool LabelsAreNumbers(const std::vector<ListedPicture>& all);

// The index of its class; Error naming the line if there is none.
int32_t LabelOf(const std::filesystem::path& file, const ListedPicture& one,
                bool numbers, const std::vector<std::string>& classes);

}  // namespace alexnet
