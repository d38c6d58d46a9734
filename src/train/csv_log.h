// SPDX-License-Identifier: MIT
// A table that grows by whole lines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace alexnet {

class CsvLog {
 public:
  // Opens `path`, or makes it with this header. Of the lines already there it
  // keeps those from the beginning whose first field is below `limit` and
  // ascends; the rest (later than the checkpoint, or damaged) is cut off,
  // all at once.
  CsvLog(std::filesystem::path path, std::string_view header, int64_t limit);
  CsvLog(const CsvLog&) = delete;
  CsvLog& operator=(const CsvLog&) = delete;
  ~CsvLog();

  // One line, without its end; it appears whole or not at all.
  void Append(std::string line);
  // Makes everything so far durable.
  void Sync();

 private:
  [[noreturn]] void Fail(const char* what, int error) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace alexnet
