// SPDX-License-Identifier: MIT
// alexnet eval: how well a weight file does on the test images.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <vector>

#include "command_line.h"
#include "evaluation.h"
#include "extras/plot.h"
#include "io/npy.h"
#include "output.h"
#include "signals.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

struct Options {
  RunOptions run;
  ModelFileOptions model;
  std::filesystem::path confusion;
  std::filesystem::path logits;
  int64_t ten_crop = 0;
  bool json = false;
};

int Eval(const Options& options) {
  const StopSignals signals;
  std::vector<float> logits;
  const auto keep = [&](std::span<const float> batch) {
    logits.insert(logits.end(), batch.begin(), batch.end());
  };
  using Sink = std::function<void(std::span<const float>)>;
  const auto report = EvaluateFile(options.model, options.run, signals.token(),
                                   options.logits.empty() ? Sink() : Sink(keep),
                                   options.ten_crop);
  if (!report) return signals.exit_code();

  const int64_t images = report->evaluation.images;
  if (!options.logits.empty()) {
    NpyWriter file(options.logits, images,
                   static_cast<int64_t>(logits.size()) / images);
    file.Write(logits);
    file.Commit();
  }
  if (!options.confusion.empty()) {
    PlotConfusion(options.confusion, report->class_names,
                  report->evaluation.confusion);
  }
  Write(options.json ? EvalJson(*report)
                     : EvalTables(*report) + "\n" +
                           AccuracyLine(report->evaluation) + "\n");
  return 0;
}

}  // namespace

Action AddEval(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  AddWeightsOption(app, options->model);
  AddClassNamesOption(app, options->model);
  AddRunOptions(
      app, options->run,
      {"arch", "dataset", "data", "image-size", "eval-crop", "augment", "cache",
       "damaged", "max-megapixels", "batch-size", "mean", "std", "device",
       "precision", "algorithms", "threads", "loader-threads"});
  app.add_option("--ten-crop", options->ten_crop,
                 "average over ten views: squares of this side in the corners "
                 "and the middle, and mirrored (0: off)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--logits", options->logits,
                 "write the logits to this .npy file: float32, images x "
                 "classes, in file order");
  app.add_option("--confusion", options->confusion,
                 "draw the confusion matrix as this .png file");
  app.add_flag("--json", options->json, "one JSON object on standard output");
  app.footer(
      "A file that this program wrote knows its network, classes and "
      "preprocessing;\nany other needs --arch.");
  return [options] { return Eval(*options); };
}

}  // namespace alexnet::cli
