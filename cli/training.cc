// SPDX-License-Identifier: MIT
#include "training.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "alexnet/error.h"
#include "extras/download.h"
#include "extras/plot.h"
#include "loss_tables.h"
#include "output.h"
#include "progress.h"

namespace alexnet::cli {
namespace {

std::filesystem::path DataFolder(const RunOptions& options) {
  return options.data.empty() ? std::filesystem::path(kDefaultData)
                              : std::filesystem::path(options.data);
}

std::string Describe(const Engine& engine) {
  const EngineSpec& spec = engine.spec();
  int64_t bytes = 0;
  for (const MemoryUse& use : engine.Memory()) bytes += use.bytes;
  return fmt::format(
      "{}: {} parameters on {}, {} thread{}, {} of memory", spec.model.arch,
      Thousands(ParameterCount(spec.model)), Name(spec.device), spec.threads,
      spec.threads == 1 ? "" : "s", Bytes(static_cast<double>(bytes)));
}

}  // namespace

void AddDownloadOptions(CLI::App& app, DownloadRequest& request) {
  app.add_flag("--download", request.wanted,
               "fetch CIFAR-10 (170 MB) into the folder of --data first, if it "
               "is not there; goes on where an interrupted download ended");
  app.add_option("--url", request.url, "fetch it from here (http, https, file)")
      ->default_str(kCifar10Url);
}

bool DownloadIfWanted(const DownloadRequest& request, const RunOptions& options,
                      const StopSignals& signals) {
  if (!request.wanted) return true;
  if (options.dataset != "cifar10") {
    throw UsageError(
        Concat("--download fetches cifar10, not ", options.dataset));
  }
  const std::filesystem::path folder = DataFolder(options);
  if (HasCifar10(folder)) return true;
  const std::string url = request.url.empty() ? kCifar10Url : request.url;
  const bool live = IsTerminal();
  Print("downloading {} to {}\n", url, folder.string());
  const auto progress = [&](int64_t done, int64_t total) {
    if (live) {
      Print("\r\x1b[K{} of {}", Bytes(static_cast<double>(done)),
            total > 0 ? Bytes(static_cast<double>(total)) : "unknown size");
      std::fflush(stdout);
    }
    return !signals.token().stop_requested();
  };
  try {
    DownloadCifar10(folder, url, progress);
  } catch (const Error&) {
    if (live) Print("\n");
    if (signals.token().stop_requested()) return false;
    throw;
  }
  if (live) Print("\n");
  return true;
}

RunResult TrainWithProgress(const RunOptions& options,
                            const StopSignals& signals) {
  Progress progress(IsTerminal());
  RunCallbacks callbacks;
  callbacks.on_step = [&](const StepReport& r) { progress.OnStep(r); };
  callbacks.on_epoch = [&](const EpochReport& r) { progress.OnEpoch(r); };
  callbacks.on_message = [&](const std::string& t) { progress.Message(t); };
  callbacks.on_warning = [&](const std::string& t) { progress.Warning(t); };
  std::string no_gpu;
  callbacks.make_engine = [&](const EngineSpec& spec) {
    return MakeEngine(spec, &no_gpu);
  };
  callbacks.on_engine = [&](const Engine& engine) {
    progress.Message(Describe(engine));
    if (!no_gpu.empty()) progress.Message(NoGpu(no_gpu));
  };
  callbacks.stop = signals.token();
  RunResult result = RunTraining(options, callbacks);
  if (result.end == TrainEnd::kFinished) {
    progress.Message("Finished Training");
    progress.Message("model has been saved to " + result.weights.string());
  } else {
    progress.Message(
        fmt::format("stopped after step {}; --resume goes on from there",
                    result.position.step));
  }
  return result;
}

void DrawLossCurve(const std::filesystem::path& run_folder) {
  if (!std::filesystem::exists(run_folder / kStepsFile)) return;
  try {
    const LossSeries series = ReadLosses(run_folder);
    if (series.steps.empty()) return;
    PlotLoss(run_folder / "loss.png", series);
    PlotLoss(run_folder / "loss.svg", series);
    Print("loss curve drawn in {}\n", (run_folder / "loss.png").string());
  } catch (const Error& error) {
    Warn(fmt::format("no loss curve: {}", error.what()));
  }
}

}  // namespace alexnet::cli
