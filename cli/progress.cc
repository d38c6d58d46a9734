// SPDX-License-Identifier: MIT
#include "progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "output.h"

namespace alexnet::cli {
namespace {

constexpr int64_t kStepsPerLine = 100;
constexpr std::chrono::milliseconds kRedrawEvery{100};
constexpr double kSmoothing = 0.05;

std::string Bar(double done, int width) {
  const int filled = static_cast<int>(done * width);
  return fmt::format("[{:=>{}}{:>{}}]", "", filled, "", width - filled);
}

}  // namespace

void Progress::OnStep(const StepReport& report) {
  const double loss = report.result.loss;
  smooth_loss_ =
      steps_ == 0 ? loss : smooth_loss_ + kSmoothing * (loss - smooth_loss_);
  ++steps_;
  images_ += report.result.images;
  seconds_ += report.seconds;
  wait_seconds_ += report.wait_seconds;
  if (live_) {
    const auto now = std::chrono::steady_clock::now();
    if (line_drawn_ && now - drawn_at_ < kRedrawEvery) return;
    drawn_at_ = now;
    Draw(report);
  } else if (report.batch % kStepsPerLine == 0) {
    Print("{} {}, Loss: {:.4f}\n", report.epoch, report.batch, loss);
  }
}

void Progress::Draw(const StepReport& report) {
  const int64_t done = report.position.step;
  const double per_step = seconds_ / static_cast<double>(steps_);
  const double left = per_step * static_cast<double>(report.steps_total - done);
  const double rate =
      seconds_ > 0 ? static_cast<double>(images_) / seconds_ : 0;
  const std::string text = fmt::format(
      " epoch {} step {}/{}  loss {:.4f}  {:.1f} images/s  waited {:.1f} s  "
      "{} left",
      report.epoch, done, report.steps_total, smooth_loss_, rate, wait_seconds_,
      Duration(left));
  const int room = TerminalColumns() - 1;
  const int bar = std::min(30, room - static_cast<int>(text.size()) - 2);
  const double part =
      report.steps_total > 0
          ? static_cast<double>(done) / static_cast<double>(report.steps_total)
          : 1;
  std::string line =
      bar >= 5 ? Bar(std::min(part, 1.0), bar) + text : text.substr(1);
  line.resize(std::min(line.size(), static_cast<size_t>(std::max(room, 1))));
  Print("\r\x1b[K{}", line);
  std::fflush(stdout);
  line_drawn_ = true;
}

void Progress::OnEpoch(const EpochReport& report) {
  std::string text = fmt::format(
      "epoch {} done in {}: loss {:.4f}, accuracy {} on the training images",
      report.epoch, Duration(report.seconds), report.train_loss,
      Percent(report.train_accuracy));
  if (report.validation) {
    text += fmt::format("; loss {:.4f}, accuracy {} on those held out",
                        report.validation->loss,
                        Percent(report.validation->top1()));
  }
  Message(text);
}

void Progress::Message(std::string_view text) {
  ClearLine();
  Print("{}\n", text);
}

void Progress::Warning(std::string_view text) {
  ClearLine();
  std::fflush(stdout);
  Warn(text);
}

void Progress::ClearLine() {
  if (!line_drawn_) return;
  Write("\r\x1b[K");
  line_drawn_ = false;
}

}  // namespace alexnet::cli
