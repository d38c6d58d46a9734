// SPDX-License-Identifier: MIT
// SIGINT and SIGTERM: the first asks the job to stop, the second ends the
// program at once.
#pragma once

#include <atomic>
#include <csignal>
#include <stop_token>
#include <thread>

namespace alexnet::cli {

// While it lives the two signals are blocked in this thread and in those that
// it starts, and a thread of its own waits for them. So make it before any
// other thread. A signal that was ignored when the program began stays so.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  std::stop_token token() const { return stop_.get_token(); }
  // 130 or 143 after a signal, else 0.
  int exit_code() const;

 private:
  void Wait();

  sigset_t signals_;
  sigset_t mask_before_;
  std::stop_source stop_;
  std::atomic<int> signal_ = 0;
  std::atomic<bool> done_ = false;
  std::thread waiter_;
};

}  // namespace alexnet::cli
