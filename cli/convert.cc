// SPDX-License-Identifier: MIT
// alexnet convert: weight files from one format to the other.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "command_line.h"
#include "model_file.h"
#include "output.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

struct Options {
  RunOptions run;
  ModelFileOptions model;
  std::filesystem::path out;
};

// By way of an engine: what comes out is what eval and predict would use, and
// its names and shapes are checked against the network.
int Convert(const Options& options) {
  RunOptions run = options.run;
  run.device = Name(Device::kReference);
  const Model model = LoadModel(options.model, run, {}, 1);
  SaveWeights(options.out, *ParametersOf(*model.engine), model.metadata);
  Print("{} written: {}, {} parameters\n", options.out.string(),
        model.metadata.arch,
        Thousands(ParameterCount(model.engine->spec().model)));
  return 0;
}

}  // namespace

Action AddConvert(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("in", options->model.weights,
                 "weight file, .pth or .safetensors")
      ->required();
  app.add_option("out", options->out,
                 "the new one; its extension decides: .pth, .pt or "
                 ".safetensors")
      ->required();
  AddClassNamesOption(app, options->model);
  AddRunOptions(app, options->run, {"arch", "mean", "std"});
  app.footer(
      "Network, class names and preprocessing are kept. A file that has none "
      "(from\nPyTorch, say) needs --arch; --class-names, --mean and --std add "
      "the rest.");
  return [options] { return Convert(*options); };
}

}  // namespace alexnet::cli
