// SPDX-License-Identifier: MIT
// The one exception type of the library, and the checks that throw it.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace alexnet {

// Something outside the program is wrong: a file, an option, a machine. The
// message says where, what was expected and what was found; it is meant for
// the person at the terminal.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The caller asked for something that makes no sense (an unknown preset, a
// batch of zero). The command line turns it into exit code 2, an Error into 1.
class UsageError : public Error {
 public:
  using Error::Error;
};

// "conv1: got 3, expected 4" from any printable pieces.
template <class... Args>
std::string Concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

}  // namespace alexnet

// For mistakes of the programmer only: nothing that a user does reaches it.
#define ALEXNET_CHECK(condition)                                     \
  do {                                                               \
    if (!(condition))                                                \
      throw std::logic_error(::alexnet::Concat(                      \
          __FILE__, ":", __LINE__, ": check failed: ", #condition)); \
  } while (false)
