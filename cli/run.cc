// SPDX-License-Identifier: MIT
// alexnet run: the whole job. Loads params.pth if it is there, else trains and
// saves it; draws the loss curve; tells the accuracy on the test images.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "alexnet/error.h"
#include "command_line.h"
#include "eval_report.h"
#include "evaluation.h"
#include "extras/plot.h"
#include "output.h"
#include "train/recipes.h"
#include "train/run_record.h"
#include "training.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  RunOptions run;
  DownloadRequest download;
  fs::path weights;
};

// The weights to load, or empty to train: those named; else those of the run
// folder; else, where no folder was named either, a params.pth in the working
// directory.
fs::path WeightsToLoad(const Options& options) {
  if (!options.weights.empty()) {
    if (fs::exists(options.weights)) return options.weights;
    throw Error(options.weights.string() + ": there is no such file");
  }
  if (options.run.resume || options.run.overwrite) return {};
  const fs::path in_folder = fs::path(options.run.out) / kWeightsFile;
  if (fs::exists(in_folder)) return in_folder;
  const bool folder_named = options.run.given.contains("out");
  return !folder_named && fs::exists(kWeightsFile) ? fs::path(kWeightsFile)
                                                   : fs::path();
}

// Weights that were found, not named, may be those of another training than the
// one that is asked for.
void WarnIfNotTrained(const Options& options, const fs::path& found) {
  const RunOptions& run = options.run;
  if (!options.weights.empty() || !run.given.contains("recipe")) return;
  if (RecordedRecipe(found.parent_path() / kRunFile) == run.recipe) return;
  Warn(fmt::format(
      "these weights were there already: --recipe {} trains nothing "
      "(with --overwrite, or another folder as --out, it does)",
      run.recipe));
}

void DrawConfusion(const fs::path& run_folder, const EvalReport& report) {
  try {
    PlotConfusion(run_folder / "confusion.png", report.class_names,
                  report.evaluation.confusion);
  } catch (const Error& error) {
    Warn(fmt::format("no picture of the confusion matrix: {}", error.what()));
  }
}

int Run(const Options& options) {
  const StopSignals signals;
  RunOptions run = options.run;
  ApplyRecipe(run.recipe, run);
  if (!DownloadIfWanted(options.download, run, signals)) {
    return signals.exit_code();
  }

  ModelFileOptions model;
  model.weights = WeightsToLoad(options);
  const bool loaded = !model.weights.empty();
  if (loaded) {
    Print("load model parameters from {}\n", model.weights.string());
    WarnIfNotTrained(options, model.weights);
    // A weight file from elsewhere does not say which network it is for.
    if (!OpenWeights(model.weights)->metadata()) run.given.insert("arch");
  } else {
    RunOptions request = options.run;
    request.resume = !request.overwrite;
    const RunResult result = TrainWithProgress(request, signals);
    if (result.end == TrainEnd::kStopped) return signals.exit_code();
    model.weights = result.weights;
    run = result.options;
  }
  const bool own_folder = !loaded || fs::exists(fs::path(run.out) / kRunFile);
  if (own_folder) DrawLossCurve(run.out);

  const auto report = EvaluateFile(model, run, signals.token());
  if (!report) return signals.exit_code();
  if (own_folder) DrawConfusion(run.out, *report);
  Print("{}\n", AccuracyLine(report->evaluation));
  return 0;
}

}  // namespace

Action AddRun(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  AddRunOptions(app, options->run);
  AddDownloadOptions(app, options->download);
  app.add_option("-w,--weights", options->weights,
                 "evaluate this file; without it params.pth of the run folder "
                 "or, if no --out is given, of the working directory is "
                 "loaded; if there is none, training begins (or goes on)");
  app.footer(
      RecipeHelp() +
      "\n\nExamples:\n"
      "  alexnet run --dataset shapes --recipe quick   no files needed\n"
      "  alexnet run --download                        CIFAR-10, fetched to "
      "dataset/\n"
      "  alexnet run --data DIR                        DIR holds "
      "cifar-10-batches-bin/");
  return [options] { return Run(*options); };
}

}  // namespace alexnet::cli
