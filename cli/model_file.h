// SPDX-License-Identifier: MIT
// A saved model, made ready to run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "alexnet/dataset.h"
#include "alexnet/engine.h"
#include "alexnet/weights.h"
#include "train/run_options.h"

namespace CLI {
class App;
}

namespace alexnet::cli {

struct ModelFileOptions {
  std::filesystem::path weights = "run/params.pth";
  std::filesystem::path class_names;  // a file, one name a line; may be empty
};

// --weights; arch, mean, std, device, precision, algorithms and threads are
// options of a run.
void AddWeightsOption(CLI::App& app, ModelFileOptions& options);
// --class-names
void AddClassNamesOption(CLI::App& app, ModelFileOptions& options);

struct Model {
  std::unique_ptr<Engine> engine;  // with the parameters in it
  ModelMetadata metadata;          // class_names may be empty
  std::string no_gpu;              // why `--device auto` did not take one
  // The class's name, or its number.
  std::string ClassName(int32_t label) const;
};

// For images of the shape `source`, or those that the file's pictures become if
// there is none. `classes` stands in where the file has no names.
Model LoadModel(const ModelFileOptions& file, const RunOptions& options,
                std::optional<Shape3> source, int64_t batch_size,
                int64_t classes = 0);

// Tells on standard error why no GPU is used, if one could have been.
void SayNoGpu(const Model& model);

// For the images of a data set. UsageError if the model knows other classes.
Model LoadModelFor(const Dataset& dataset, const ModelFileOptions& file,
                   const RunOptions& options);

}  // namespace alexnet::cli
