// SPDX-License-Identifier: MIT
// What `run` and `train` share.
#pragma once

#include <filesystem>
#include <string>

#include "signals.h"
#include "train/run.h"

namespace CLI {
class App;
}

namespace alexnet::cli {

struct DownloadRequest {
  bool wanted = false;
  std::string url;
};

// --download and --url
void AddDownloadOptions(CLI::App& app, DownloadRequest& request);

// Fetches CIFAR-10 into the folder of the data if that was asked for and it
// is not there. False if a signal came in between.
bool DownloadIfWanted(const DownloadRequest& request, const RunOptions& options,
                      const StopSignals& signals);

// Trains with progress on the terminal.
RunResult TrainWithProgress(const RunOptions& options,
                            const StopSignals& signals);

// loss.png and loss.svg from the folder's record, if there is one. What goes
// wrong is a warning: the training is worth more than its picture.
void DrawLossCurve(const std::filesystem::path& run_folder);

}  // namespace alexnet::cli
