// SPDX-License-Identifier: MIT
// alexnet plot: the loss curve of a run.
#include "extras/plot.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <vector>

#include "alexnet/error.h"
#include "loss_tables.h"
#include "output.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

struct Options {
  std::filesystem::path run = "run";
  std::vector<std::filesystem::path> files;
  std::string title = "Training loss";
};

int Plot(const Options& options) {
  const LossSeries series = ReadLosses(options.run);
  if (series.steps.empty()) {
    throw Error(options.run.string() + ": no step has been recorded yet");
  }
  std::vector<std::filesystem::path> files = options.files;
  if (files.empty())
    files = {options.run / "loss.png", options.run / "loss.svg"};
  for (const auto& file : files) {
    PlotLoss(file, series, options.title);
    Print("loss curve drawn in {}\n", file.string());
  }
  return 0;
}

}  // namespace

Action AddPlot(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("run", options->run, "run folder, or one that holds steps.csv")
      ->capture_default_str();
  app.add_option("-o,--out", options->files,
                 "pictures to draw, .png or .svg (default: loss.png and "
                 "loss.svg in the run folder)");
  app.add_option("--title", options->title, "heading of the picture")
      ->capture_default_str();
  app.footer("Works while the run is still going on.");
  return [options] { return Plot(*options); };
}

}  // namespace alexnet::cli
