// SPDX-License-Identifier: MIT
// The verbs of the program; each has a file of its name.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace alexnet::cli {

// Does the job once the command line is read; returns the exit code.
using Action = std::function<int()>;

// Each gives `app`, which stands for the verb, its options.
Action AddRun(CLI::App& app);
Action AddTrain(CLI::App& app);
Action AddEval(CLI::App& app);
Action AddPredict(CLI::App& app);
Action AddShow(CLI::App& app);
Action AddRecipe(CLI::App& app);
Action AddPlot(CLI::App& app);
Action AddInfo(CLI::App& app);
Action AddConvert(CLI::App& app);
Action AddData(CLI::App& app);
Action AddBench(CLI::App& app);

}  // namespace alexnet::cli
