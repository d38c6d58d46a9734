// SPDX-License-Identifier: MIT
#include "train/csv_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "alexnet/error.h"
#include "io/atomic_file.h"

namespace alexnet {
namespace {

// −1 if the line does not begin with a number that a comma follows.
int64_t FirstField(std::string_view line) {
  int64_t value = -1;
  const char* end = line.data() + line.size();
  const auto [rest, error] = std::from_chars(line.data(), end, value);
  return error == std::errc() && rest != end && *rest == ',' ? value : -1;
}

// Bytes of `content` to keep; 0 if not even the header is right.
size_t SoundLength(std::string_view content, std::string_view header,
                   int64_t limit) {
  const auto commas = std::count(header.begin(), header.end(), ',');
  if (!content.starts_with(std::string(header) + '\n')) return 0;
  size_t sound = header.size() + 1;
  int64_t previous = -1;
  while (true) {
    const size_t end = content.find('\n', sound);
    if (end == std::string_view::npos) return sound;
    const std::string_view line = content.substr(sound, end - sound);
    const int64_t number = FirstField(line);
    if (number <= previous || number >= limit ||
        std::count(line.begin(), line.end(), ',') != commas) {
      return sound;
    }
    previous = number;
    sound = end + 1;
  }
}

}  // namespace

CsvLog::CsvLog(std::filesystem::path path, std::string_view header,
               int64_t limit)
    : path_(std::move(path)) {
  std::ifstream file(path_, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  file.close();
  const size_t sound = SoundLength(content, header, limit);
  if (sound == 0) {
    WriteFileAtomically(path_, std::string(header) + '\n');
  } else if (sound < content.size()) {
    WriteFileAtomically(path_, std::string_view(content).substr(0, sound));
  }
  descriptor_ = open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) Fail("cannot be opened for writing", errno);
}

CsvLog::~CsvLog() {
  if (descriptor_ >= 0) close(descriptor_);
}

void CsvLog::Append(std::string line) {
  line += '\n';
  const ssize_t written = write(descriptor_, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return;
  const int error = written < 0 ? errno : ENOSPC;
  struct stat status {};
  if (written > 0 && fstat(descriptor_, &status) == 0) {
    // If this fails too, the half line is cut off when the run is resumed.
    [[maybe_unused]] const int ignored =
        ftruncate(descriptor_, status.st_size - written);
  }
  Fail("cannot be written", error);
}

void CsvLog::Sync() {
  if (fsync(descriptor_) != 0) Fail("cannot be written", errno);
}

void CsvLog::Fail(const char* what, int error) const {
  throw Error(Concat(path_.string(), ": ", what, ": ", std::strerror(error)));
}

}  // namespace alexnet
