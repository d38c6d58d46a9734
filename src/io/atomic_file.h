// SPDX-License-Identifier: MIT
// Files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace alexnet {

// Writes to a temporary file in the folder of `path`; Commit() makes it
// durable (fsync), gives it its name (rename) and makes the name durable
// (fsync of the folder). Without Commit() the destructor removes it. Every
// failure throws Error with the path and the system's reason; the file that
// was there before is then untouched.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void Write(std::span<const std::byte> bytes);
  void Write(std::string_view text);
  // Overwrites bytes written before.
  void WriteAt(uint64_t offset, std::span<const std::byte> bytes);
  // For libraries that insist on a file name or a descriptor of their own.
  const std::filesystem::path& temporary_path() const { return temporary_; }
  int descriptor() const { return descriptor_; }
  void Commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

void WriteFileAtomically(const std::filesystem::path& path,
                         std::string_view content);

}  // namespace alexnet
