// SPDX-License-Identifier: MIT
// From options to data sets and engine specs.
#include <fstream>
#include <limits>

#include "alexnet/error.h"
#include "train/run.h"

namespace alexnet {
namespace {

int Threads(int64_t threads) {
  if (threads < 0 || threads > std::numeric_limits<int>::max()) {
    throw UsageError(Concat("threads: got ", threads, ", expected 0 or more"));
  }
  return static_cast<int>(threads);
}

int64_t ClassesOf(const WeightFile& weights, const InferenceOptions& options) {
  if (weights.metadata() && !weights.metadata()->class_names.empty()) {
    return static_cast<int64_t>(weights.metadata()->class_names.size());
  }
  if (options.classes > 0) return options.classes;
  const auto& tensors = weights.tensors();
  return tensors.empty() || tensors.back().shape.empty()
             ? 0
             : tensors.back().shape.front();
}

std::string ArchOf(const WeightFile& weights, const std::string& file,
                   const std::string& given) {
  if (!weights.metadata()) {
    if (!given.empty()) return given;
    throw UsageError(file +
                     ": does not say which network it is for; name it with "
                     "--arch");
  }
  const std::string& stored = weights.metadata()->arch;
  if (!given.empty() && given != stored) {
    throw UsageError(Concat(file, ": is for the network ", stored, ", but ",
                            given, " was asked for"));
  }
  return stored;
}

ModelSpec TrainingModel(const RunOptions& options, const Dataset& dataset) {
  const auto classes = static_cast<int64_t>(dataset.class_names().size());
  if (options.classes != 0 && options.classes != classes) {
    throw UsageError(Concat("classes: got ", options.classes,
                            ", but the images have ", classes));
  }
  ModelSpec model = MakePreset(
      options.arch, {.classes = classes, .dropout = options.dropout});
  if (options.init == "torch") SetInit(model, {});
  if (options.init == "he") SetHeInit(model);
  Freeze(model, WordList(options.freeze));
  return model;
}

}  // namespace

std::string ReadKernelPlan(const std::string& file) {
  if (file.empty()) return "";
  constexpr std::streamsize kMost = 1 << 16;
  std::ifstream in(file, std::ios::binary);
  std::string text(kMost, '\0');
  in.read(text.data(), kMost);
  if (in.bad() || in.gcount() == 0) {
    throw Error(file + ": cannot be read as a kernel plan");
  }
  text.resize(static_cast<size_t>(in.gcount()));
  if (std::ssize(text) == kMost) {
    throw Error(file + ": too long for a kernel plan");
  }
  return text;
}

EngineSpec TrainingSpec(const RunOptions& options, const Dataset& dataset) {
  EngineSpec spec;
  spec.model = TrainingModel(options, dataset);
  spec.input = {.mean = options.mean, .std = options.std};
  spec.source = dataset.image_shape();
  // Accumulated batches are one batch, worked on in slices: its masks, its
  // mean, its step.
  spec.batch_size = options.batch_size * options.accumulate;
  spec.slice_size = options.slice_size == 0 && options.accumulate > 1
                        ? options.batch_size
                        : options.slice_size;
  spec.training = true;
  spec.precision = ParsePrecision(options.precision);
  spec.algorithms = ParseAlgorithms(options.algorithms);
  spec.label_smoothing = options.label_smoothing;
  spec.clip_norm = options.clip_norm;
  spec.average_decay = options.ema;
  spec.optimizer = {.kind = ParseOptimizer(options.optimizer),
                    .momentum = options.momentum,
                    .nesterov = options.nesterov,
                    .beta1 = options.beta1,
                    .beta2 = options.beta2,
                    .eps = options.eps,
                    .weight_decay = options.weight_decay};
  spec.device = ParseDevice(options.device);
  spec.threads = Threads(options.threads);
  spec.seed = options.seed;
  return spec;
}

EngineSpec InferenceSpec(const WeightFile& weights, const std::string& file,
                         const InferenceOptions& options) {
  EngineSpec spec;
  spec.model = MakePreset(ArchOf(weights, file, options.arch),
                          {.classes = ClassesOf(weights, options)});
  if (weights.metadata()) {
    const Shape3 stored = weights.metadata()->input;
    if (stored != spec.model.input) {
      throw Error(Concat(file, ": the network's input is ", stored.channels,
                         "x", stored.height, "x", stored.width, ", expected ",
                         spec.model.input.channels, "x",
                         spec.model.input.height, "x", spec.model.input.width));
    }
    spec.input = weights.metadata()->transform;
  }
  if (options.transform) spec.input = *options.transform;
  spec.source = options.source;
  spec.batch_size = options.batch_size;
  spec.training = false;
  spec.precision = ParsePrecision(options.precision);
  spec.algorithms = ParseAlgorithms(options.algorithms);
  spec.device = ParseDevice(options.device);
  spec.threads = Threads(options.threads);
  return spec;
}

}  // namespace alexnet
