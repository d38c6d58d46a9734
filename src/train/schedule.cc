// SPDX-License-Identifier: MIT
#include "alexnet/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "alexnet/error.h"

namespace alexnet {
namespace {

constexpr std::pair<ScheduleKind, std::string_view> kNames[] = {
    {ScheduleKind::kConstant, "constant"},
    {ScheduleKind::kStep, "step"},
    {ScheduleKind::kMultiStep, "multistep"},
    {ScheduleKind::kCosine, "cosine"},
    {ScheduleKind::kOneCycle, "onecycle"},
    {ScheduleKind::kPolynomial, "poly"},
    {ScheduleKind::kPlateau, "plateau"}};

// Loss that counts as lower, relative to the best: PyTorch's threshold.
constexpr double kThreshold = 1e-4;

// From `from` to `to` as `part` goes from 0 to 1.
double HalfCosine(double from, double to, double part) {
  return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * part));
}

int64_t StepsIn(double epochs, const ScheduleTime& time) {
  constexpr double kNever = 1e18;  // what a training does not reach
  return std::llround(
      std::min(epochs * static_cast<double>(time.steps_per_epoch), kNever));
}

// As PyTorch counts: the peak is at step rise·T − 1, the end at T − 1.
double OneCycle(const ScheduleSpec& spec, double step, double total) {
  const double peak = spec.rise * total - 1;
  const double last = total - 1;
  if (step <= peak) {
    return HalfCosine(spec.start, 1, peak > 0 ? step / peak : 1);
  }
  return HalfCosine(1, spec.end, (step - peak) / (last - peak));
}

double AfterWarmup(const ScheduleSpec& spec, const ScheduleTime& time,
                   int64_t warmup) {
  const auto total =
      static_cast<double>(std::max<int64_t>(1, time.steps_total - warmup));
  // A training that goes on beyond its end keeps the last rate.
  const double step = std::clamp(static_cast<double>(time.step - warmup), 0.0,
                                 std::max(0.0, total));
  switch (spec.kind) {
    case ScheduleKind::kConstant:
    case ScheduleKind::kPlateau:
      return 1;
    case ScheduleKind::kStep: {
      const int64_t period =
          std::max<int64_t>(1, StepsIn(spec.step_epochs, time));
      return std::pow(spec.gamma, static_cast<double>(time.step / period));
    }
    case ScheduleKind::kMultiStep: {
      const auto passed = std::count_if(
          spec.milestones.begin(), spec.milestones.end(),
          [&](double epoch) { return time.step >= StepsIn(epoch, time); });
      return std::pow(spec.gamma, static_cast<double>(passed));
    }
    case ScheduleKind::kCosine:
      return HalfCosine(1, spec.end, step / total);
    case ScheduleKind::kOneCycle:
      return OneCycle(spec, std::min(step, total - 1), total);
    case ScheduleKind::kPolynomial:
      return spec.end + (1 - spec.end) * std::pow(1 - step / total, spec.power);
  }
  return 1;
}

}  // namespace

ScheduleKind ParseSchedule(std::string_view name) {
  std::string known;
  for (const auto& [kind, text] : kNames) {
    if (text == name) return kind;
    known += Concat(" ", text);
  }
  throw UsageError(Concat("unknown schedule '", name, "'; known are:", known));
}

std::string_view Name(ScheduleKind kind) {
  for (const auto& [known, text] : kNames) {
    if (known == kind) return text;
  }
  return "?";
}

void CheckSchedule(const ScheduleSpec& spec) {
  const auto require = [](bool good, const char* name, double got,
                          const char* expected) {
    if (!good) {
      throw UsageError(
          Concat("schedule: ", name, ": got ", got, ", expected ", expected));
    }
  };
  const auto part = [&](const char* name, double value) {
    require(value >= 0 && value <= 1, name, value, "a number from 0 to 1");
  };
  require(spec.warmup_epochs >= 0 && std::isfinite(spec.warmup_epochs),
          "warm-up", spec.warmup_epochs, "0 or more epochs");
  require(spec.step_epochs > 0 && std::isfinite(spec.step_epochs), "step",
          spec.step_epochs, "more than 0 epochs");
  if (spec.kind == ScheduleKind::kMultiStep && spec.milestones.empty()) {
    throw UsageError(
        "schedule: multistep: got no milestones, expected some: 30,60,80");
  }
  for (const double epoch : spec.milestones) {
    require(epoch >= 0 && std::isfinite(epoch), "milestone", epoch,
            "0 or more epochs");
  }
  require(spec.power >= 0 && std::isfinite(spec.power), "power", spec.power,
          "0 or more");
  require(spec.patience >= 0, "patience", static_cast<double>(spec.patience),
          "0 or more epochs");
  part("gamma", spec.gamma);
  part("start", spec.start);
  part("rise", spec.rise);
  part("end", spec.end);
}

double ScheduleFactor(const ScheduleSpec& spec, const ScheduleTime& time) {
  const int64_t warmup = StepsIn(spec.warmup_epochs, time);
  if (time.step >= warmup) return AfterWarmup(spec, time, warmup);
  ScheduleTime first = time;
  first.step = warmup;
  return AfterWarmup(spec, first, warmup) * static_cast<double>(time.step + 1) /
         static_cast<double>(warmup + 1);
}

void PlateauState::Add(double loss, const ScheduleSpec& spec) {
  const bool usable = std::isfinite(loss);
  if ((usable && best < 0) || loss < best * (1 - kThreshold)) {
    best = loss;
    bad_epochs = 0;
    return;
  }
  if (++bad_epochs <= spec.patience) return;
  factor *= spec.gamma;
  bad_epochs = 0;
}

}  // namespace alexnet
