// SPDX-License-Identifier: MIT
// alexnet train: training with every option there is.
#include <CLI/CLI.hpp>
#include <memory>

#include "command_line.h"
#include "data/augment_spec.h"
#include "train/recipes.h"
#include "training.h"
#include "verbs.h"

namespace alexnet::cli {

Action AddTrain(CLI::App& app) {
  struct Options {
    RunOptions run;
    DownloadRequest download;
  };
  const auto options = std::make_shared<Options>();
  AddRunOptions(app, options->run);
  AddDownloadOptions(app, options->download);
  app.footer(RecipeHelp() + "\n\n" + AugmentHelp() +
             "\n\nThe run folder (--out) gets params.pth, steps.csv, "
             "epochs.csv, run.json,\nloss.png, loss.svg and the "
             "checkpoints.\nSIGINT (Ctrl-C) or SIGTERM "
             "ends the run after the current step with a\ncheckpoint; "
             "--resume goes on from it to the same bits.");
  return [options] {
    const StopSignals signals;
    RunOptions run = options->run;
    ApplyRecipe(run.recipe, run);
    if (!DownloadIfWanted(options->download, run, signals)) {
      return signals.exit_code();
    }
    const RunResult result = TrainWithProgress(options->run, signals);
    DrawLossCurve(options->run.out);
    return result.end == TrainEnd::kStopped ? signals.exit_code() : 0;
  };
}

}  // namespace alexnet::cli
