// SPDX-License-Identifier: MIT
// The record of a run, read back.
#pragma once

#include <filesystem>

#include "extras/plot.h"

namespace alexnet::cli {

// From steps.csv and epochs.csv of a run folder; the latter may be missing.
// Throws Error naming the file, the line, what was expected and what was
// found.
LossSeries ReadLosses(const std::filesystem::path& run_folder);

}  // namespace alexnet::cli
