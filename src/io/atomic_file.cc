// SPDX-License-Identifier: MIT
#include "io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "alexnet/error.h"

namespace alexnet {
namespace {

[[noreturn]] void Fail(const std::filesystem::path& path, const char* what) {
  const int reason = errno;
  throw Error(
      Concat(path.string(), ": cannot ", what, ": ", std::strerror(reason)));
}

std::filesystem::path FolderOf(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

// Makes the names in a folder durable. Some file systems cannot do that for a
// folder and say EINVAL; there is nothing more to be done there.
void SyncFolder(const std::filesystem::path& path) {
  const int folder =
      ::open(FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) Fail(path, "open its folder");
  const bool failed = ::fsync(folder) != 0 && errno != EINVAL;
  const int reason = errno;
  ::close(folder);
  errno = reason;
  if (failed) Fail(path, "sync its folder");
}

// Lets the disk begin while the rest of the file is made, so that Commit waits
// less. Only a hint: what fails is told there.
void StartWriting(int descriptor) {
#ifdef __linux__
  ::sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
  (void)descriptor;
#endif
}

constexpr size_t kLargeWrite = size_t{1} << 20;

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  static std::atomic<uint64_t> counter = 0;
  if (!path_.has_filename()) {
    throw Error(Concat(path_.string(), ": expected the name of a file"));
  }
  // O_EXCL skips what a killed process with the same number left behind.
  do {
    temporary_ = FolderOf(path_) / Concat(".", path_.filename().string(), ".",
                                          ::getpid(), ".", counter++, ".tmp");
    descriptor_ =
        ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) Fail(path_, "create a file in its folder");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::Write(std::span<const std::byte> bytes) {
  const bool large = bytes.size() >= kLargeWrite;
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) Fail(path_, "write");
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
  if (large) StartWriting(descriptor_);
}

void AtomicFile::Write(std::string_view text) {
  Write(std::as_bytes(std::span(text)));
}

void AtomicFile::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(descriptor_, bytes.data(), bytes.size(),
                                 static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) Fail(path_, "write");
    bytes = bytes.subspan(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
}

void AtomicFile::Commit() {
  ALEXNET_CHECK(descriptor_ >= 0);
  if (::fsync(descriptor_) != 0) Fail(path_, "sync");
  if (::close(std::exchange(descriptor_, -1)) != 0) Fail(path_, "close");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) Fail(path_, "rename");
  temporary_.clear();
  SyncFolder(path_);
}

void WriteFileAtomically(const std::filesystem::path& path,
                         std::string_view content) {
  AtomicFile file(path);
  file.Write(content);
  file.Commit();
}

}  // namespace alexnet
