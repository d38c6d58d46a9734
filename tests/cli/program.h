// SPDX-License-Identifier: MIT
// The built program, run as a user would.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace alexnet::testing {

// A new folder for one test, removed with everything in it at the end.
class Scratch {
 public:
  Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Outcome {
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

struct Setting {
  std::filesystem::path folder = {};  // the working directory
  std::string out_file = {};  // of standard output; empty: kept for Outcome
  int64_t largest_file = 0;   // bytes (RLIMIT_FSIZE); 0: no limit
};

class Program {
 public:
  Program(const std::vector<std::string>& arguments, const Setting& setting);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  void Signal(int signal) const;
  // True as soon as it has printed `text`; false if it ends without, or after
  // a minute.
  bool WaitFor(const std::string& text);
  Outcome Wait();

 private:
  bool HasEnded();
  void Start(const std::vector<std::string>& arguments) const;

  Setting setting_;
  std::filesystem::path out_;
  std::filesystem::path err_;
  pid_t child_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

Outcome RunProgram(const std::vector<std::string>& arguments,
                   const Setting& setting);

std::string ReadAll(const std::filesystem::path& path);
void WriteAll(const std::filesystem::path& path, std::string_view content);

}  // namespace alexnet::testing
