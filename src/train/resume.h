// SPDX-License-Identifier: MIT
// The options of a resumed run.
#pragma once

#include <string>
#include <vector>

#include "train/run_options.h"

namespace alexnet {

struct ResumedOptions {
  RunOptions options;
  std::vector<std::string> changes;  // "lr: 0.001, now 0.0003"
};

// Those of the checkpoint, except what was given now: a given option wins if
// that is allowed, and UsageError names every one that differs and must not,
// with both values. "auto" or 0 for the device, the threads and the slice
// size means whatever the run was begun with.
ResumedOptions MergeForResume(const RunOptions& checkpoint,
                              const RunOptions& now);

}  // namespace alexnet
