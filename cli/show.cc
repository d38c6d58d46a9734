// SPDX-License-Identifier: MIT
// alexnet show: a batch as the network sees it, as a picture.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <vector>

#include "alexnet/error.h"
#include "command_line.h"
#include "extras/picture_grid.h"
#include "image/image_file.h"
#include "output.h"
#include "train/recipes.h"
#include "train/run.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

// More would not fit into one batch of any machine.
constexpr int64_t kMostImages = 1024;

struct Options {
  RunOptions run;
  std::filesystem::path file = "batch.png";
  std::string split = "train";
  int64_t epoch = 0;
  int64_t batch = 0;
  int64_t columns = 8;
};

struct ImageBatch {
  std::vector<uint8_t> pixels;
  std::vector<std::string> captions;
};

ImageBatch ReadBatch(const Dataset& dataset, const Options& options) {
  const std::vector<int64_t> order = EpochOrder(
      dataset.size(), options.run.shuffle && options.split == "train",
      options.run.seed, options.epoch);
  const int64_t size = options.run.batch_size;
  if (options.batch > (dataset.size() - 1) / size) {
    throw UsageError(fmt::format("batch: got {}, expected less than {}",
                                 options.batch,
                                 (dataset.size() - 1) / size + 1));
  }
  const int64_t begin = options.batch * size;
  const int64_t end = std::min(begin + size, dataset.size());
  const auto bytes = static_cast<size_t>(dataset.image_shape().elements());
  ImageBatch batch;
  batch.pixels.resize(bytes * static_cast<size_t>(end - begin));
  for (int64_t i = begin; i < end; ++i) {
    const int64_t index = order[static_cast<size_t>(i)];
    dataset.Read(index,
                 std::span(batch.pixels)
                     .subspan(bytes * static_cast<size_t>(i - begin), bytes));
    const auto label = static_cast<size_t>(dataset.label(index));
    batch.captions.push_back(dataset.class_names().at(label));
  }
  return batch;
}

// The network's input back as bytes: (x·std + mean)·255.
Image Denormalise(std::span<const float> input, Shape3 shape,
                  const InputTransform& transform) {
  std::vector<uint8_t> planes(input.size());
  const auto plane = static_cast<size_t>(shape.height * shape.width);
  for (size_t i = 0; i < input.size(); ++i) {
    const size_t channel = i / plane;
    const float value =
        input[i] * transform.std[channel] + transform.mean[channel];
    planes[i] = static_cast<uint8_t>(
        std::lround(std::clamp(value, 0.0F, 1.0F) * 255.0F));
  }
  return FromPlanar(planes, {shape.height, shape.width});
}

int Show(const Options& options) {
  RunOptions run = options.run;
  ApplyRecipe(run.recipe, run);
  CheckOptions(run);
  const auto dataset =
      LoadDataset(run, options.split == "train" ? Split::kTrain : Split::kTest);
  Options resolved = options;
  resolved.run = run;
  const ImageBatch read = ReadBatch(*dataset, resolved);

  EngineSpec spec = TrainingSpec(run, *dataset);
  spec.training = false;
  spec.batch_size = static_cast<int64_t>(read.captions.size());
  const std::unique_ptr<Engine> engine = MakeEngine(spec);
  const Shape3 shape = spec.model.input;
  const auto elements = static_cast<size_t>(shape.elements());
  std::vector<float> input(elements * read.captions.size());
  Batch batch;
  batch.images = {.pixels = read.pixels, .shape = spec.source};
  engine->Preprocess(batch, input);

  std::vector<Image> images;
  for (size_t i = 0; i < read.captions.size(); ++i) {
    images.push_back(Denormalise(
        std::span<const float>(input).subspan(i * elements, elements), shape,
        spec.input));
  }
  WritePng(options.file, Grid(images, options.columns, read.captions));
  Print("{} images of {}x{} drawn in {}\n", images.size(), shape.height,
        shape.width, options.file.string());
  return 0;
}

}  // namespace

Action AddShow(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("file", options->file, "the picture, a .png file")
      ->capture_default_str();
  app.add_option("--split", options->split, "train or test")
      ->check(CLI::IsMember({"train", "test"}))
      ->capture_default_str();
  app.add_option("--epoch", options->epoch, "whose order to follow")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--batch", options->batch, "which batch of the epoch")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--columns", options->columns, "images side by side")
      ->check(CLI::Range(int64_t{1}, kMostImages))
      ->capture_default_str();
  AddRunOptions(app, options->run,
                {"recipe", "arch", "dataset", "data", "shapes-count",
                 "batch-size", "seed", "shuffle", "mean", "std", "device"});
  app.footer(
      "The images as they reach the first layer, with the normalisation taken "
      "back.");
  return [options] { return Show(*options); };
}

}  // namespace alexnet::cli
