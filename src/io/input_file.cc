// SPDX-License-Identifier: MIT
#include "io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "alexnet/error.h"

namespace alexnet {

InputFile::InputFile(const std::filesystem::path& path) : name_(path.string()) {
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    throw Error(Concat(name_, ": cannot open: ", std::strerror(errno)));
  }
  struct stat status = {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw Error(Concat(
        name_, ": expected a regular file, found ",
        known && S_ISDIR(status.st_mode) ? "a folder" : "something else"));
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::ReadAt(uint64_t offset, std::span<std::byte> bytes) const {
  if (offset > size_ || bytes.size() > size_ - offset) {
    throw Error(Concat(name_, ": at byte ", offset, ": expected ", bytes.size(),
                       " more bytes, found ", size_ - std::min(size_, offset)));
  }
  while (!bytes.empty()) {
    const ssize_t got = ::pread(descriptor_, bytes.data(), bytes.size(),
                                static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Error(Concat(name_, ": at byte ", offset,
                         ": cannot read: ", std::strerror(errno)));
    }
    if (got == 0) {
      throw Error(Concat(name_, ": shrank while it was read: ends at byte ",
                         offset, ", had ", size_));
    }
    bytes = bytes.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
}

}  // namespace alexnet
