// SPDX-License-Identifier: MIT
// Text for the person, or the program, that reads what the verbs say.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace alexnet::cli {

// To standard output. A failure is found at the end (FinishOutput): a reader
// that has gone away must not end a training run.
void Write(std::string_view text);

template <class... Args>
void Print(fmt::format_string<Args...> format, Args&&... args) {
  Write(fmt::format(format, std::forward<Args>(args)...));
}

// "alexnet: warning: …" to standard error.
void Warn(std::string_view message);

// "no GPU is used: …"
std::string NoGpu(std::string_view reason);

// Throws Error if something written to standard output was lost, except to a
// reader that had seen enough.
void FinishOutput();

bool IsTerminal();      // standard output
int TerminalColumns();  // 80 if unknown

std::string Thousands(int64_t value);  // 58,322,314
std::string Bytes(double bytes);       // 233.3 MB
std::string Duration(double seconds);  // 2 h 05 min
std::string Percent(double fraction);  // 48.92 %
std::string AsPython(double value);    // 10.0, as print() has it

}  // namespace alexnet::cli
