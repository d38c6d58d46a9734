// SPDX-License-Identifier: MIT
#include "extras/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "alexnet/error.h"

namespace alexnet {
namespace {

[[noreturn]] void Fail(const std::filesystem::path& path, const char* what) {
  throw Error(Concat(path.string(), ": ", what, ": ", std::strerror(errno)));
}

}  // namespace

PartFile::PartFile(std::filesystem::path path) : path_(std::move(path)) {
  descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC,
                     S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
  if (descriptor_ < 0) Fail(path_, "cannot be written");
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    close(descriptor_);
    throw Error(
        Concat(path_.string(), ": another download is writing to this file"));
  }
  size_ = lseek(descriptor_, 0, SEEK_END);
}

PartFile::~PartFile() { close(descriptor_); }

void PartFile::Append(std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) Fail(path_, "cannot be written");
    size_ += written;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void PartFile::Clear() {
  if (ftruncate(descriptor_, 0) != 0) Fail(path_, "cannot be emptied");
  size_ = 0;
}

void PartFile::Remove() {
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) {
    Fail(path_, "cannot be removed");
  }
  size_ = 0;
}

void PartFile::Rename(const std::filesystem::path& final_path) {
  if (fsync(descriptor_) != 0) Fail(path_, "cannot be written");
  if (std::rename(path_.c_str(), final_path.c_str()) != 0) {
    Fail(final_path, "cannot be written");
  }
}

}  // namespace alexnet
