// SPDX-License-Identifier: MIT
// Zip archives by libzip, with what it takes on trust checked first.
#pragma once

#include <zip.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "io/input_file.h"

namespace alexnet {

// Entries are stored or moderately deflated; no name stands there twice; all
// of them together are no larger than the file, so that entries which share
// bytes cannot multiply it.
class ZipArchive {
 public:
  struct Entry {
    uint64_t index = 0;
    uint64_t size = 0;  // unpacked
  };

  explicit ZipArchive(const InputFile& file);

  // The entry that comes first in the directory.
  const std::string& first_name() const { return first_name_; }
  // Null if there is none.
  const Entry* Find(const std::string& name) const;
  // Fills `bytes`, which has entry.size of them, and checks the CRC-32.
  void Read(const std::string& name, std::span<std::byte> bytes) const;
  // A whole entry of at most `limit` bytes.
  std::string ReadText(const std::string& name, uint64_t limit) const;

 private:
  struct Close {
    void operator()(zip_t* zip) const { zip_discard(zip); }
    void operator()(zip_file_t* file) const { zip_fclose(file); }
  };

  uint64_t AddEntry(uint64_t index);
  [[noreturn]] void Fail(const std::string& what) const;

  std::string file_name_;
  std::unique_ptr<zip_t, Close> zip_;
  mutable std::mutex mutex_;  // libzip's handle is for one thread at a time
  std::map<std::string, Entry> entries_;
  std::string first_name_;
};

}  // namespace alexnet
