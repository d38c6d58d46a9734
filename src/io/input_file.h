// SPDX-License-Identifier: MIT
// Checked reading at any place of a file, into memory of our own: a file that
// shrinks meanwhile is an Error, where a mapped one would be a SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace alexnet {

// Methods throw Error with the path, the place and the system's reason.
class InputFile {
 public:
  // Only regular files are taken.
  explicit InputFile(const std::filesystem::path& path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }  // when it was opened
  int descriptor() const { return descriptor_; }

  // Fills `bytes` from `offset`; an Error if the file has fewer. May be called
  // from several threads.
  void ReadAt(uint64_t offset, std::span<std::byte> bytes) const;

 private:
  std::string name_;
  uint64_t size_ = 0;
  int descriptor_ = -1;
};

}  // namespace alexnet
