// SPDX-License-Identifier: MIT
// alexnet bench: how fast a step is, and how far from what the machine allows.
#include "bench/bench.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "alexnet/engine.h"
#include "bench/tune.h"
#include "command_line.h"
#include "core/isa.h"
#include "core/machine.h"
#include "io/atomic_file.h"
#include "output.h"
#include "train/run.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

struct Options {
  RunOptions run;
  BenchOptions bench;
  std::string mode = "train";
  bool layers = false;
  std::string tune;  // file for the plan; empty: not wanted
  bool json = false;
};

// Pixels do not matter for speed: without a data set, drawn ones will do.
std::unique_ptr<Dataset> Images(const Options& options) {
  RunOptions run = options.run;
  if (run.data.empty()) run.dataset = "shapes";
  return LoadDataset(run, Split::kTrain);
}

EngineSpec SpecOf(const Options& options, const Dataset& dataset) {
  const auto classes = static_cast<int64_t>(dataset.class_names().size());
  EngineSpec spec;
  spec.model = MakePreset(options.run.arch, {.classes = classes});
  spec.source = dataset.image_shape();
  spec.batch_size = options.run.batch_size;
  spec.slice_size = options.run.slice_size;
  spec.training = options.bench.training;
  spec.precision = ParsePrecision(options.run.precision);
  spec.algorithms = ParseAlgorithms(options.run.algorithms);
  spec.device = ParseDevice(options.run.device);
  spec.threads = static_cast<int>(options.run.threads);
  spec.kernel_plan = ReadKernelPlan(options.run.kernel_plan);
  return spec;
}

nlohmann::ordered_json AsJson(const Engine& engine, const Options& options,
                              const BenchResult& r) {
  const EngineSpec& spec = engine.spec();
  nlohmann::ordered_json json = {
      {"mode", options.mode},
      {"arch", spec.model.arch},
      {"batch_size", spec.batch_size},
      {"slice_size", spec.slice_size},
      {"precision", Name(spec.precision)},
      {"algorithms", Name(spec.algorithms)},
      {"device", Name(spec.device)},
      {"isa", Name(SelectedIsa())},
      {"threads", spec.threads},
      {"cpu", CpuModel()},
      {"steps", options.bench.steps},
      {"step_s", r.step.median},
      {"step_lowest_s", r.step.lowest},
      {"step_highest_s", r.step.highest},
      {"images_per_s", r.images_per_s},
      {"peak_rss_mb", r.peak_rss_mb},
      {"planned_peak_mb", r.planned_peak_mb},
      {"flops", r.floor.flops},
      {"bytes", r.floor.bytes},
      {"machine_flops_per_s", r.floor.flops_per_s},
      {"machine_bytes_per_s", r.floor.bytes_per_s},
      {"floor_s", r.floor.seconds},
      {"floor_over_step", r.floor.seconds / r.step.median}};
  if (options.bench.training) {
    json["input_s"] = r.phases.input;
    json["forward_s"] = r.phases.forward;
    json["backward_s"] = r.phases.backward;
    json["update_s"] = r.phases.update;
    json["first_loss"] = r.first_loss;
    json["last_loss"] = r.last_loss;
  }
  for (const LayerTimes& layer : r.layers) {
    json["layers"].push_back({{"layer", layer.layer},
                              {"forward_s", layer.forward},
                              {"backward_s", layer.backward},
                              {"update_s", layer.update}});
  }
  for (const MemoryUse& use : engine.Memory()) {
    json["memory_bytes"][use.purpose] = use.bytes;
  }
  return json;
}

std::string LayerTable(const std::vector<LayerTimes>& layers) {
  std::string text = fmt::format("\n{:<16} {:>10} {:>10} {:>10}\n", "ms",
                                 "forward", "backward", "update");
  for (const LayerTimes& layer : layers) {
    text += fmt::format("{:<16} {:10.1f} {:10.1f} {:10.1f}\n", layer.layer,
                        1e3 * layer.forward, 1e3 * layer.backward,
                        1e3 * layer.update);
  }
  return text;
}

std::string AsText(const Engine& engine, const Options& options,
                   const BenchResult& r) {
  const EngineSpec& spec = engine.spec();
  std::string text =
      fmt::format("{}, {} of {}, batch {}, {} threads, {}, {} algorithms\n",
                  CpuModel(), options.mode, spec.model.arch, spec.batch_size,
                  spec.threads, Name(SelectedIsa()), Name(spec.algorithms));
  text += fmt::format(
      "step      {:8.1f} ms  ({:.1f} to {:.1f}, {} steps)\nimages/s  {:8.1f}\n",
      1e3 * r.step.median, 1e3 * r.step.lowest, 1e3 * r.step.highest,
      options.bench.steps, r.images_per_s);
  if (options.bench.training) {
    text += fmt::format(
        "phases    {:8.1f} ms resize, {:.1f} forward, {:.1f} backward, {:.1f} "
        "update\n",
        1e3 * r.phases.input, 1e3 * r.phases.forward, 1e3 * r.phases.backward,
        1e3 * r.phases.update);
  }
  text += fmt::format(
      "floor     {:8.1f} ms  by direct convolution in float32 at this "
      "machine's {:.0f} GFLOP/s and {:.1f} GB/s\nfloor/step  {:6.2f}\npeak "
      "memory {:6.0f} MiB, planned {:.0f}\n",
      1e3 * r.floor.seconds, r.floor.flops_per_s / 1e9,
      r.floor.bytes_per_s / 1e9, r.floor.seconds / r.step.median, r.peak_rss_mb,
      r.planned_peak_mb);
  if (options.layers) text += LayerTable(r.layers);
  return text;
}

std::string AsText(const Tuning& tuning) {
  std::string text = fmt::format("{:<14} {:<28} {:>12} {:>12}\n", "lowest ms",
                                 "algorithms", "forward", "backward");
  for (const TunedTime& time : tuning.times) {
    text += fmt::format("{:<14} {:<28} {:10.2f} {} {:10.2f} {}\n", time.layer,
                        time.algorithms, 1e3 * time.forward,
                        time.chosen_forward ? '*' : ' ', 1e3 * time.backward,
                        time.chosen_backward ? '*' : ' ');
  }
  return text;
}

nlohmann::ordered_json AsJson(const Tuning& tuning) {
  nlohmann::ordered_json json = {{"isa", Name(SelectedIsa())},
                                 {"cpu", CpuModel()}};
  for (const TunedTime& time : tuning.times) {
    const Conv2dSpec& conv = time.conv;
    json["times"].push_back(
        {{"layer", time.layer},
         {"input", {time.input.channels, time.input.height, time.input.width}},
         {"out_channels", conv.out_channels},
         {"kernel", {conv.kernel.height, conv.kernel.width}},
         {"stride", {conv.stride.height, conv.stride.width}},
         {"algorithms", time.algorithms},
         {"forward_s", time.forward},
         {"backward_s", time.backward}});
  }
  return json;
}

int TuneAndSave(const Options& options, const Dataset& dataset) {
  EngineSpec spec = SpecOf(options, dataset);
  if (spec.device == Device::kAuto) spec.device = Device::kCpu;
  if (spec.device != Device::kCpu) {
    throw UsageError("--tune: only the CPU engine has algorithms to choose");
  }
  const Tuning tuning = Tune(spec, dataset, options.bench.steps);
  AtomicFile file(options.tune);
  file.Write(tuning.kernel_plan);
  file.Commit();
  Write(options.json ? AsJson(tuning).dump(2) + "\n"
                     : AsText(tuning) + options.tune + " written\n");
  return 0;
}

int Bench(Options options) {
  options.bench.training = options.mode == "train";
  const std::unique_ptr<Dataset> dataset = Images(options);
  if (!options.tune.empty()) return TuneAndSave(options, *dataset);
  const int64_t before = ResidentMemory();
  std::string no_gpu;
  const std::unique_ptr<Engine> engine =
      MakeEngine(SpecOf(options, *dataset), &no_gpu);
  if (!no_gpu.empty()) fmt::print(stderr, "alexnet: {}\n", NoGpu(no_gpu));
  Initialize(*engine, options.run.seed);
  BenchResult result = RunBench(*engine, *dataset, options.bench);
  result.planned_peak_mb = MiB(before);
  for (const MemoryUse& use : engine->Memory()) {
    result.planned_peak_mb += MiB(use.bytes);
  }
  Write(options.json ? AsJson(*engine, options, result).dump(2) + "\n"
                     : AsText(*engine, options, result));
  return 0;
}

}  // namespace

Action AddBench(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("--mode", options->mode, "train or infer")
      ->check(CLI::IsMember({"train", "infer"}))
      ->capture_default_str();
  AddRunOptions(app, options->run,
                {"arch", "batch-size", "kernel-plan", "slice-size", "precision",
                 "algorithms", "device", "threads", "seed", "data"});
  app.add_option("--steps", options->bench.steps, "steps to time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--warmup", options->bench.warmup, "steps before them")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--tune", options->tune,
                 "find each convolution's fastest algorithms; write them to "
                 "this file, for --kernel-plan");
  app.add_flag("--layers", options->layers, "also the time of each layer");
  app.add_flag("--json", options->json, "one JSON object on standard output");
  app.footer(
      "A training step is resize, forward, backward and Adam. The floor is "
      "what direct convolution in float32 would take at the machine's full "
      "speed, measured here; Winograd's algorithms and bfloat16 can go below "
      "it.");
  return [options] { return Bench(*options); };
}

}  // namespace alexnet::cli
