// SPDX-License-Identifier: MIT
#include "io/zip_archive.h"

#include <unistd.h>

#include "alexnet/error.h"
#include "io/bytes.h"

namespace alexnet {

ZipArchive::ZipArchive(const InputFile& file) : file_name_(file.name()) {
  const int descriptor = ::dup(file.descriptor());
  int code = 0;
  // With ZIP_CHECKCONS each entry's own header must agree with the directory.
  zip_.reset(zip_fdopen(descriptor, ZIP_CHECKCONS, &code));
  if (zip_ == nullptr) {
    if (descriptor >= 0) ::close(descriptor);
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    Fail("not a sound zip archive: " + reason);
  }
  const auto count = static_cast<uint64_t>(zip_get_num_entries(zip_.get(), 0));
  uint64_t taken = 0;
  for (uint64_t i = 0; i < count; ++i) {
    taken += AddEntry(i);
    if (taken > file.size()) {
      Fail("its entries are larger than the file: they overlap");
    }
  }
}

// Returns the bytes that the entry takes in the file at least.
uint64_t ZipArchive::AddEntry(uint64_t index) {
  zip_stat_t info;
  constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE |
                                   ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                   ZIP_STAT_ENCRYPTION_METHOD;
  if (zip_stat_index(zip_.get(), index, ZIP_FL_ENC_RAW, &info) != 0 ||
      (info.valid & kNeeded) != kNeeded) {
    Fail(Concat("entry ", index, " cannot be made out"));
  }
  const std::string name = info.name;
  const bool stored = info.comp_method == ZIP_CM_STORE;
  if ((!stored && info.comp_method != ZIP_CM_DEFLATE) ||
      info.encryption_method != ZIP_EM_NONE) {
    Fail(Concat("entry ", Quoted(name), ": expected stored or deflated, found",
                " method ", info.comp_method, ", encryption ",
                info.encryption_method));
  }
  // Weights hardly shrink; deflate could make a thousand bytes of one.
  constexpr uint64_t kMostRatio = 16;
  constexpr uint64_t kSmall = 1 << 16;
  const bool plausible =
      stored ? info.size == info.comp_size
             : info.size <= kSmall || info.size / kMostRatio <= info.comp_size;
  if (!plausible) {
    Fail(Concat("entry ", Quoted(name), ": ", info.comp_size,
                " bytes claim to be ", info.size));
  }
  if (index == 0) first_name_ = name;
  if (!entries_.try_emplace(name, Entry{index, info.size}).second) {
    Fail(Concat("entry ", Quoted(name), " is there twice"));
  }
  constexpr uint64_t kHeaders = 30 + 46;  // its own and the directory's
  return info.comp_size > uint64_t{1} << 62
             ? info.comp_size
             : info.comp_size + kHeaders + 2 * name.size();
}

void ZipArchive::Fail(const std::string& what) const {
  throw Error(Concat(file_name_, ": ", what));
}

const ZipArchive::Entry* ZipArchive::Find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

void ZipArchive::Read(const std::string& name,
                      std::span<std::byte> bytes) const {
  const Entry& entry = entries_.at(name);
  ALEXNET_CHECK(bytes.size() == entry.size);
  const std::lock_guard lock(mutex_);
  const std::unique_ptr<zip_file_t, Close> file(
      zip_fopen_index(zip_.get(), entry.index, 0));
  if (file == nullptr) {
    Fail(Concat("entry ", Quoted(name), ": ", zip_strerror(zip_.get())));
  }
  while (!bytes.empty()) {
    const auto got = zip_fread(file.get(), bytes.data(), bytes.size());
    if (got <= 0) {
      Fail(Concat("entry ", Quoted(name), ": ",
                  got < 0 ? zip_file_strerror(file.get()) : "too short"));
    }
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
  // libzip compares the checksum when it meets the end.
  std::byte beyond;
  const auto got = zip_fread(file.get(), &beyond, 1);
  if (got != 0) {
    Fail(Concat("entry ", Quoted(name), ": ",
                got < 0 ? zip_file_strerror(file.get()) : "too long"));
  }
}

std::string ZipArchive::ReadText(const std::string& name,
                                 uint64_t limit) const {
  const Entry* entry = Find(name);
  if (entry == nullptr) Fail(Concat("has no entry ", Quoted(name)));
  if (entry->size > limit) {
    Fail(Concat("entry ", Quoted(name), ": expected at most ", limit,
                " bytes, found ", entry->size));
  }
  std::string text(entry->size, '\0');
  Read(name, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace alexnet
