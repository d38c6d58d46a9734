// SPDX-License-Identifier: MIT
#include "train/run_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "alexnet/engine.h"
#include "alexnet/error.h"
#include "alexnet/model.h"
#include "data/augment_spec.h"
#include "data/loader.h"

namespace alexnet {
namespace {

// The shortest text that reads back as the same number.
template <class Number>
std::string Shortest(Number value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

void Require(bool good, std::string_view name, const std::string& got,
             std::string_view expected) {
  if (!good) {
    throw UsageError(Concat(name, ": got ", got, ", expected ", expected));
  }
}

void AtLeast(int64_t low, std::string_view name, int64_t value) {
  Require(value >= low, name, OptionText(value), Concat("at least ", low));
}

void NotNegative(std::string_view name, double value) {
  Require(value >= 0 && std::isfinite(value), name, OptionText(value),
          "a number that is not negative");
}

// In [0, 1).
void Fraction(std::string_view name, double value) {
  Require(value >= 0 && value < 1, name, OptionText(value),
          "a number from 0 to below 1");
}

void CheckDataOptions(const RunOptions& o) {
  Require(IsDataSet(o.dataset), "dataset", o.dataset, DataSetNames());
  constexpr int64_t kLargest = 16'384;
  Require(o.image_size >= 0 && o.image_size <= kLargest, "image-size",
          OptionText(o.image_size), "0 to 16384");
  Require(o.eval_crop >= 0 && o.eval_crop <= kLargest, "eval-crop",
          OptionText(o.eval_crop), "0 to 16384");
  ParseAugment(o.augment);
  Require(o.damaged == "fail" || o.damaged == "skip", "damaged", o.damaged,
          "fail or skip");
  Require(o.max_megapixels > 0 && o.max_megapixels <= 10'000, "max-megapixels",
          OptionText(o.max_megapixels), "more than 0, at most 10000");
}

}  // namespace

std::string OptionText(const std::string& value) { return value; }
std::string OptionText(int64_t value) { return Shortest(value); }
std::string OptionText(uint64_t value) { return Shortest(value); }
std::string OptionText(double value) { return Shortest(value); }
std::string OptionText(bool value) { return value ? "on" : "off"; }
std::string OptionText(const std::array<float, 3>& value) {
  return Shortest(value[0]) + "," + Shortest(value[1]) + "," +
         Shortest(value[2]);
}

void CopyOption(const RunOptions& from, std::string_view name, RunOptions& to) {
  bool found = false;
  ForEachOption(from, [&](const auto& value, const OptionInfo& info) {
    if (info.name != name) return;
    ForEachOption(to, [&](auto& target, const OptionInfo& other) {
      if constexpr (std::is_same_v<std::decay_t<decltype(value)>,
                                   std::decay_t<decltype(target)>>) {
        if (other.name != name) return;
        target = value;
        found = true;
      }
    });
  });
  if (!found) throw std::logic_error(Concat("no option ", name));
}

void NoteGiven(RunOptions& options) {
  std::vector<std::string> defaults;
  ForEachOption(RunOptions(), [&](const auto& value, const OptionInfo&) {
    defaults.push_back(OptionText(value));
  });
  size_t i = 0;
  ForEachOption(options, [&](const auto& value, const OptionInfo& info) {
    if (OptionText(value) != defaults[i++]) {
      options.given.emplace(info.name);
    }
  });
}

ScheduleSpec ScheduleOf(const RunOptions& o) {
  return {.kind = ParseSchedule(o.schedule),
          .warmup_epochs = o.warmup_epochs,
          .step_epochs = o.lr_step,
          .milestones = NumberList("lr-milestones", o.lr_milestones),
          .gamma = o.lr_gamma,
          .start = o.lr_start,
          .rise = o.lr_rise,
          .end = o.lr_end,
          .power = o.lr_power,
          .patience = o.lr_patience};
}

void CheckOptions(const RunOptions& o) {
  CheckDataOptions(o);
  ParseOptimizer(o.optimizer);
  ModelSpec model = MakePreset(o.arch);
  Freeze(model, WordList(o.freeze));
  Require(o.init == "network" || o.init == "torch" || o.init == "he", "init",
          o.init, "network, torch or he");
  CheckSchedule(ScheduleOf(o));
  ParseDevice(o.device);
  ParsePrecision(o.precision);
  ParseAlgorithms(o.algorithms);
  AtLeast(1, "shapes-count", o.shapes_count);
  AtLeast(1, "epochs", o.epochs);
  AtLeast(1, "batch-size", o.batch_size);
  AtLeast(0, "classes", o.classes);
  AtLeast(1, "accumulate", o.accumulate);
  Require(o.accumulate <= std::numeric_limits<int32_t>::max() / o.batch_size,
          "accumulate", OptionText(o.accumulate), "a smaller number");
  AtLeast(0, "max-steps", o.max_steps);
  AtLeast(0, "early-stop", o.early_stop);
  AtLeast(0, "checkpoint-every", o.checkpoint_every);
  AtLeast(0, "threads", o.threads);
  AtLeast(0, "loader-threads", o.loader_threads);
  Require(o.loader_threads <= kMaxLoaderThreads, "loader-threads",
          OptionText(o.loader_threads), Concat("at most ", kMaxLoaderThreads));
  AtLeast(0, "slice-size", o.slice_size);
  Require(o.lr > 0 && std::isfinite(o.lr), "lr", OptionText(o.lr),
          "a positive number");
  NotNegative("eps", o.eps);
  NotNegative("weight-decay", o.weight_decay);
  NotNegative("clip-norm", o.clip_norm);
  NotNegative("time-budget", o.time_budget);
  Fraction("momentum", o.momentum);
  Fraction("label-smoothing", o.label_smoothing);
  Fraction("ema", o.ema);
  Fraction("beta1", o.beta1);
  Fraction("beta2", o.beta2);
  Fraction("dropout", o.dropout);
  Fraction("val-fraction", o.val_fraction);
  for (size_t c = 0; c < o.std.size(); ++c) {
    Require(std::isfinite(o.mean[c]), "mean", OptionText(o.mean),
            "three numbers");
    Require(o.std[c] > 0 && std::isfinite(o.std[c]), "std", OptionText(o.std),
            "three positive numbers");
  }
  Require(!o.out.empty(), "out", "nothing", "a folder");
  Require(!(o.resume && o.overwrite), "resume", "overwrite as well",
          "one of the two");
}

}  // namespace alexnet
