// SPDX-License-Identifier: MIT
#include "signals.h"

#include <unistd.h>

#include <string_view>

namespace alexnet::cli {
namespace {

constexpr int kSignalExit = 128;

bool IsIgnored(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  if (!IsIgnored(SIGINT)) sigaddset(&signals_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals_, &mask_before_);
  waiter_ = std::thread([this] { Wait(); });
}

StopSignals::~StopSignals() {
  done_ = true;
  pthread_kill(waiter_.native_handle(), SIGTERM);
  waiter_.join();
  pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

int StopSignals::exit_code() const {
  return signal_ == 0 ? 0 : kSignalExit + signal_;
}

void StopSignals::Wait() {
  while (true) {
    int signal = 0;
    sigwait(&signals_, &signal);
    if (done_) return;
    if (signal_ != 0) _exit(kSignalExit + signal);
    signal_ = signal;
    constexpr std::string_view kNotice =
        "\nalexnet: stopping; once more to end at once\n";
    if (write(STDERR_FILENO, kNotice.data(), kNotice.size()) < 0) {
      // Nobody is there to read it; the stop counts all the same.
    }
    stop_.request_stop();
  }
}

}  // namespace alexnet::cli
