// SPDX-License-Identifier: MIT
#include "data/tar_gz.h"

#include <new>

#include "alexnet/error.h"

namespace alexnet {
namespace {

constexpr size_t kBytesAtOnce = 1 << 20;

}  // namespace

TarGz::TarGz(const std::filesystem::path& path)
    : name_(path.string()), archive_(archive_read_new(), archive_read_free) {
  if (!archive_) throw std::bad_alloc();
  Check(archive_read_support_filter_gzip(archive_.get()));
  Check(archive_read_support_format_tar(archive_.get()));
  Check(
      archive_read_open_filename(archive_.get(), name_.c_str(), kBytesAtOnce));
}

archive_entry* TarGz::NextEntry() {
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(archive_.get(), &entry);
  if (result == ARCHIVE_EOF) return nullptr;
  Check(result);
  return entry;
}

Bytes TarGz::ReadData(const std::string& member, int64_t size) {
  Bytes bytes;
  bytes.reserve(static_cast<size_t>(size));
  Bytes buffer(kBytesAtOnce);
  while (true) {
    const la_ssize_t count =
        archive_read_data(archive_.get(), buffer.data(), buffer.size());
    if (count < 0) Fail(": " + member);
    if (count == 0) break;
    bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + count);
    if (std::ssize(bytes) > size) break;
  }
  if (std::ssize(bytes) != size) {
    throw Error(Concat(name_, ": ", member, ": holds ", bytes.size(),
                       " bytes, expected ", size, " as its header says"));
  }
  return bytes;
}

void TarGz::SkipData() { Check(archive_read_data_skip(archive_.get())); }

std::string TarGz::NameOf(archive_entry* entry) {
  const char* path = archive_entry_pathname(entry);
  std::string name = path == nullptr ? "" : path;
  if (name.starts_with("./")) name.erase(0, 2);
  return name;
}

int64_t TarGz::CheckedSize(const std::string& where, archive_entry* entry,
                           int64_t most) {
  if (archive_entry_filetype(entry) != AE_IFREG ||
      archive_entry_hardlink(entry) != nullptr) {
    throw Error(Concat(where, ": not a file"));
  }
  const int64_t size = archive_entry_size(entry);
  if (size < 0 || size > most) {
    throw Error(
        Concat(where, ": size is ", size, " bytes, expected at most ", most));
  }
  return size;
}

void TarGz::Check(int result) const {
  if (result != ARCHIVE_OK && result != ARCHIVE_WARN) Fail("");
}

void TarGz::Fail(const std::string& where) const {
  const char* reason = archive_error_string(archive_.get());
  throw Error(Concat(name_, where, ": not a readable .tar.gz near byte ",
                     archive_filter_bytes(archive_.get(), -1), ": ",
                     reason == nullptr ? "unknown error" : reason));
}

}  // namespace alexnet
