// SPDX-License-Identifier: MIT
#include "cli/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

namespace alexnet::testing {
namespace fs = std::filesystem;
namespace {

constexpr int kCannotStart = 127;
constexpr std::chrono::milliseconds kPollEvery{5};
constexpr std::chrono::minutes kPatience{1};

std::string NewFolder() {
  std::string pattern = ::testing::TempDir() + "alexnet_cli_XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("mkdtemp failed: " + pattern);
  }
  return pattern;
}

void Redirect(const fs::path& path, int descriptor) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || dup2(file, descriptor) < 0) _exit(kCannotStart);
}

}  // namespace

Scratch::Scratch() : path_(NewFolder()) {}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Program::Program(const std::vector<std::string>& arguments,
                 const Setting& setting)
    : setting_(setting),
      out_(setting.folder / ".stdout"),
      err_(setting.folder / ".stderr") {
  if (!setting.out_file.empty()) out_ = setting.out_file;
  WriteAll(err_, "");
  if (setting.out_file.empty()) WriteAll(out_, "");
  child_ = fork();
  if (child_ < 0) throw std::runtime_error("fork failed");
  if (child_ == 0) Start(arguments);
}

Program::~Program() {
  if (!HasEnded()) {
    kill(child_, SIGKILL);
    waitpid(child_, &status_, 0);
  }
}

// In the child, up to exec: only what is safe after fork.
void Program::Start(const std::vector<std::string>& arguments) const {
  std::vector<char*> argv = {const_cast<char*>(ALEXNET_PROGRAM)};
  for (const auto& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  Redirect(out_, STDOUT_FILENO);
  Redirect(err_, STDERR_FILENO);
  if (chdir(setting_.folder.c_str()) != 0) _exit(kCannotStart);
  if (setting_.largest_file > 0) {
    const auto bytes = static_cast<rlim_t>(setting_.largest_file);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(kCannotStart);
  }
  execv(ALEXNET_PROGRAM, argv.data());
  _exit(kCannotStart);
}

void Program::Signal(int signal) const { kill(child_, signal); }

bool Program::HasEnded() {
  if (!ended_) ended_ = waitpid(child_, &status_, WNOHANG) == child_;
  return ended_;
}

bool Program::WaitFor(const std::string& text) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    const bool ended = HasEnded();
    if (ReadAll(out_).find(text) != std::string::npos) return true;
    if (ended) return false;
    std::this_thread::sleep_for(kPollEvery);
  }
  return false;
}

Outcome Program::Wait() {
  if (!ended_) waitpid(child_, &status_, 0);
  ended_ = true;
  Outcome outcome;
  if (WIFEXITED(status_)) outcome.exit_code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) outcome.signal = WTERMSIG(status_);
  if (setting_.out_file.empty()) outcome.out = ReadAll(out_);
  outcome.err = ReadAll(err_);
  return outcome;
}

Outcome RunProgram(const std::vector<std::string>& arguments,
                   const Setting& setting) {
  return Program(arguments, setting).Wait();
}

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  return content.str();
}

void WriteAll(const fs::path& path, std::string_view content) {
  std::ofstream out(path, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}

}  // namespace alexnet::testing
