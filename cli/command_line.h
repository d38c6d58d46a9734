// SPDX-License-Identifier: MIT
// The options of a run as options of a command line.
#pragma once

#include <string_view>
#include <vector>

#include "train/run_options.h"

namespace CLI {
class App;
}

namespace alexnet::cli {

// Adds the named ones, or all if there are no names. Those that are given are
// noted in options.given, so `options` must outlive the parsing.
void AddRunOptions(CLI::App& app, RunOptions& options,
                   const std::vector<std::string_view>& names = {});

// The recipes and what they are for, for the end of a verb's help.
std::string RecipeHelp();

}  // namespace alexnet::cli
