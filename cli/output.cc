// SPDX-License-Identifier: MIT
#include "output.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "alexnet/error.h"

namespace alexnet::cli {
namespace {

bool ReaderHasGone() {
  pollfd output{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace

void Write(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void Warn(std::string_view message) {
  const std::string line = fmt::format("alexnet: warning: {}\n", message);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string NoGpu(std::string_view reason) {
  return fmt::format("no GPU is used: {}", reason);
}

void FinishOutput() {
  const bool flushed = std::fflush(stdout) == 0;
  if ((flushed && std::ferror(stdout) == 0) || ReaderHasGone()) return;
  throw Error("standard output: cannot be written in full (is the disk full?)");
}

bool IsTerminal() { return isatty(STDOUT_FILENO) == 1; }

int TerminalColumns() {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  return known && size.ws_col > 0 ? size.ws_col : 80;
}

std::string Thousands(int64_t value) {
  const std::string digits = std::to_string(value < 0 ? -value : value);
  std::string text = value < 0 ? "-" : "";
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string Bytes(double bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes)
                   : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string Duration(double seconds) {
  const auto total = static_cast<int64_t>(std::max(seconds, 0.0) + 0.5);
  if (total < 60) return fmt::format("{} s", total);
  if (total < 3600)
    return fmt::format("{} min {:02} s", total / 60, total % 60);
  return fmt::format("{} h {:02} min", total / 3600, total / 60 % 60);
}

std::string Percent(double fraction) {
  return fmt::format("{:.2f} %", 100 * fraction);
}

std::string AsPython(double value) {
  const std::string text = fmt::format("{}", value);
  const bool whole = text.find_first_not_of("-0123456789") == std::string::npos;
  return fmt::format("{}{}", text, whole ? ".0" : "");
}

}  // namespace alexnet::cli
