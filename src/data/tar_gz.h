// SPDX-License-Identifier: MIT
// A .tar.gz, read from its beginning to its end without unpacking it to disk.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace alexnet {

using Bytes = std::vector<std::byte>;

class TarGz {
 public:
  explicit TarGz(const std::filesystem::path& path);

  // Null at the end.
  archive_entry* NextEntry();
  // The data of the entry that NextEntry told of.
  Bytes ReadData(const std::string& member, int64_t size);
  void SkipData();

  const std::string& name() const { return name_; }

  // Without "./".
  static std::string NameOf(archive_entry* entry);
  // The entry's size, or an Error where it is not a file of at most that many
  // bytes: skipping data takes time, too.
  static int64_t CheckedSize(const std::string& where, archive_entry* entry,
                             int64_t most);

 private:
  void Check(int result) const;
  [[noreturn]] void Fail(const std::string& where) const;

  std::string name_;
  std::unique_ptr<archive, decltype(&archive_read_free)> archive_;
};

}  // namespace alexnet
