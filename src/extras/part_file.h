// SPDX-License-Identifier: MIT
// The unfinished file of a download.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace alexnet {

// Open and locked, so that two downloads do not write to one file; positioned
// at its end. What was written stays unless Remove() or Rename() is called.
class PartFile {
 public:
  explicit PartFile(std::filesystem::path path);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile();

  int64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  void Append(std::span<const char> bytes);
  void Clear();
  void Remove();
  // Makes the bytes durable, then gives them their final name.
  void Rename(const std::filesystem::path& final_path);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

}  // namespace alexnet
