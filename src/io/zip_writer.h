// SPDX-License-Identifier: MIT
// Writes a zip archive of stored entries whose bytes begin at multiples of 64,
// so that PyTorch can map them. libzip cannot: it decides by itself where
// entries begin, and collects all of them before it writes any.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "io/atomic_file.h"

namespace alexnet {

// Entries one after the other, each as a whole; then Finish. The file is a
// fresh one; committing it is the caller's. Throws Error beyond 4 GiB, where
// the simple form of the format ends.
class ZipWriter {
 public:
  ZipWriter(AtomicFile& file, std::string file_name)
      : file_(file), file_name_(std::move(file_name)) {}

  void Add(std::string_view name, std::span<const std::byte> content);
  void Add(std::string_view name, std::string_view content) {
    Add(name, std::as_bytes(std::span(content)));
  }
  void Finish();

 private:
  void CheckSize(uint64_t size) const;

  AtomicFile& file_;
  std::string file_name_;
  uint64_t position_ = 0;
  uint16_t entries_ = 0;
  std::string directory_;
};

}  // namespace alexnet
