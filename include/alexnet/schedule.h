// SPDX-License-Identifier: MIT
// The learning rate over the steps: a pure function, but for the plateau
// schedule, whose state is part of a training position.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace alexnet {

enum class ScheduleKind {
  kConstant,
  kStep,        // times gamma every step_epochs
  kMultiStep,   // times gamma at each milestone
  kCosine,      // half a cosine from 1 to end
  kOneCycle,    // cosine from start to 1, then from 1 to end
  kPolynomial,  // end + (1 − end)·(1 − t/T)^power
  kPlateau,  // times gamma when the loss has not fallen for `patience` epochs
};

// "constant", "step", "multistep", "cosine", "onecycle", "poly", "plateau";
// UsageError otherwise.
ScheduleKind ParseSchedule(std::string_view name);
std::string_view Name(ScheduleKind kind);

// Rates are parts of the learning rate; times are epochs, which need not be
// whole.
struct ScheduleSpec {
  ScheduleKind kind = ScheduleKind::kConstant;
  // First the rate rises in even steps to what the schedule begins with. The
  // cosines and the polynomial take the time that is left; the others count
  // from the beginning.
  double warmup_epochs = 0;
  double step_epochs = 30;
  std::vector<double> milestones = {};
  double gamma = 0.1;
  double start = 0.04;  // of kOneCycle
  double rise = 0.3;    // part of kOneCycle's time in which the rate rises
  double end = 0;
  double power = 1;
  int64_t patience = 10;
};

// UsageError, naming the field, for a value out of its range.
void CheckSchedule(const ScheduleSpec& spec);

struct ScheduleTime {
  int64_t step = 0;         // updates before this one
  int64_t steps_total = 1;  // of the whole training
  int64_t steps_per_epoch = 1;
};

// What the learning rate is multiplied by, as PyTorch's schedulers of these
// kinds have it; kPlateau is PlateauState's business.
double ScheduleFactor(const ScheduleSpec& spec, const ScheduleTime& time);

// ReduceLROnPlateau of PyTorch with its default threshold.
struct PlateauState {
  double factor = 1;
  double best = -1;  // lowest loss; below 0: none yet
  int64_t bad_epochs = 0;
  // After each epoch.
  void Add(double loss, const ScheduleSpec& spec);
  bool operator==(const PlateauState&) const = default;
};

}  // namespace alexnet
