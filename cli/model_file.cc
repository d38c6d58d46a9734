// SPDX-License-Identifier: MIT
#include "model_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <utility>

#include "alexnet/error.h"
#include "output.h"
#include "train/run.h"

namespace alexnet::cli {
namespace {

std::vector<std::string> ReadClassNames(const std::filesystem::path& path,
                                        int64_t classes) {
  std::ifstream in(path);
  if (!in) throw Error(path.string() + ": cannot be read");
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) names.push_back(line);
    if (std::cmp_greater(names.size(), classes)) break;
  }
  if (std::cmp_not_equal(names.size(), classes)) {
    throw Error(fmt::format(
        "{}: expected {} class names, one a line, found {}{}", path.string(),
        classes, std::cmp_greater(names.size(), classes) ? "more than " : "",
        std::cmp_greater(names.size(), classes) ? names.size() - 1
                                                : names.size()));
  }
  return names;
}

std::optional<InputTransform> GivenTransform(const RunOptions& options,
                                             const WeightFile& file) {
  const bool mean = options.given.contains("mean");
  const bool std = options.given.contains("std");
  if (!mean && !std) return {};
  InputTransform transform;
  if (file.metadata()) transform = file.metadata()->transform;
  if (mean) transform.mean = options.mean;
  if (std) transform.std = options.std;
  return transform;
}

// What the engine is given of a picture.
Shape3 SeenOf(const PictureTransform& pictures, const Shape3& input) {
  const int64_t side = pictures.patch > 0 ? pictures.patch : pictures.size;
  return side > 0 ? Shape3{input.channels, side, side} : input;
}

}  // namespace

void AddWeightsOption(CLI::App& app, ModelFileOptions& options) {
  app.add_option("-w,--weights", options.weights,
                 "weight file, .pth or .safetensors")
      ->capture_default_str();
}

void AddClassNamesOption(CLI::App& app, ModelFileOptions& options) {
  app.add_option("--class-names", options.class_names,
                 "text file with a class name a line (such as CIFAR-10's "
                 "batches.meta.txt), for weight files that have none");
}

std::string Model::ClassName(int32_t label) const {
  const auto at = static_cast<size_t>(label);
  return at < metadata.class_names.size() ? metadata.class_names[at]
                                          : fmt::format("class {}", label);
}

Model LoadModel(const ModelFileOptions& file, const RunOptions& options,
                std::optional<Shape3> source, int64_t batch_size,
                int64_t classes) {
  const std::unique_ptr<WeightFile> weights = OpenWeights(file.weights);
  InferenceOptions inference;
  if (options.given.contains("arch")) inference.arch = options.arch;
  inference.classes = classes;
  inference.transform = GivenTransform(options, *weights);
  inference.batch_size = batch_size;
  inference.device = options.device;
  inference.precision = options.precision;
  inference.algorithms = options.algorithms;
  inference.threads = options.threads;
  EngineSpec spec = InferenceSpec(*weights, file.weights.string(), inference);
  Model model;
  if (weights->metadata()) model.metadata = *weights->metadata();
  spec.source =
      source.value_or(SeenOf(model.metadata.pictures, spec.model.input));
  model.metadata.arch = spec.model.arch;
  model.metadata.input = spec.model.input;
  model.metadata.transform = spec.input;
  if (!file.class_names.empty()) {
    model.metadata.class_names =
        ReadClassNames(file.class_names, spec.model.classes);
  }
  model.engine = MakeEngine(spec, &model.no_gpu);
  LoadParameters(*model.engine, *weights, file.weights.string());
  return model;
}

void SayNoGpu(const Model& model) {
  if (model.no_gpu.empty()) return;
  fmt::print(stderr, "alexnet: {}\n", NoGpu(model.no_gpu));
}

Model LoadModelFor(const Dataset& dataset, const ModelFileOptions& file,
                   const RunOptions& options) {
  const auto& names = dataset.class_names();
  Model model =
      LoadModel(file, options, dataset.image_shape(), options.batch_size,
                static_cast<int64_t>(names.size()));
  auto& known = model.metadata.class_names;
  if (known.empty()) known = names;
  if (known != names) {
    throw UsageError(fmt::format(
        "{}: knows the classes {}, but the images of {} are of {} (--dataset "
        "and --data choose the images)",
        file.weights.string(), fmt::join(known, ", "), options.dataset,
        fmt::join(names, ", ")));
  }
  return model;
}

}  // namespace alexnet::cli
