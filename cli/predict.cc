// SPDX-License-Identifier: MIT
// alexnet predict: what is in these pictures?
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alexnet/error.h"
#include "alexnet/train.h"
#include "command_line.h"
#include "data/augmented.h"
#include "image/picture_dataset.h"
#include "model_file.h"
#include "output.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  RunOptions run;
  ModelFileOptions model;
  std::vector<std::filesystem::path> images;
  int64_t top = 5;
  bool json = false;
};

// The picture as images of its kind were in training.
std::vector<uint8_t> Prepared(const Model& model,
                              const std::filesystem::path& path) {
  const PictureTransform& how = model.metadata.pictures;
  const Shape3 input = model.metadata.input;
  PictureOptions decoding{.size = {input.height, input.width},
                          .shorter_edge = how.shorter_edge};
  if (how.size > 0) decoding.size = {how.size, how.size};
  PictureSet set{.name = "picture",
                 .source = path,
                 .root = {},
                 .files = {{.path = path.string()}},
                 .class_names = {}};
  const auto picture = PicturesAsDataset(std::move(set), decoding);
  AugmentOptions cut;
  if (how.patch > 0) {
    cut.spec = ParseAugment("patch:" + std::to_string(how.patch));
  }
  const auto image = Augmented(*picture, cut);
  std::vector<uint8_t> pixels(
      static_cast<size_t>(image->image_shape().elements()));
  image->Read(0, pixels);
  return pixels;
}

std::vector<ClassProbability> Predict(const Model& model,
                                      const std::filesystem::path& path,
                                      int64_t top) {
  const EngineSpec& spec = model.engine->spec();
  const std::vector<uint8_t> pixels = Prepared(model, path);
  std::vector<float> logits(static_cast<size_t>(spec.model.classes));
  Batch batch;
  batch.images = {.pixels = pixels, .shape = spec.source};
  model.engine->Infer(batch, logits);
  std::vector<ClassProbability> ranked = RankClasses(logits);
  ranked.resize(std::min(ranked.size(), static_cast<size_t>(top)));
  return ranked;
}

void PrintRanking(const Model& model, const std::string& file,
                  const std::vector<ClassProbability>& ranking) {
  Print("{}\n", file);
  for (const ClassProbability& guess : ranking) {
    Print("  {:>9}  {}\n", Percent(guess.probability),
          model.ClassName(guess.label));
  }
}

Json RankingJson(const Model& model, const std::string& file,
                 const std::vector<ClassProbability>& ranking) {
  Json predictions = Json::array();
  for (const ClassProbability& guess : ranking) {
    predictions.push_back({{"label", guess.label},
                           {"class", model.ClassName(guess.label)},
                           {"probability", guess.probability}});
  }
  return {{"file", file}, {"predictions", predictions}};
}

// A picture that cannot be read does not keep the others from their turn.
int PredictAll(const Options& options) {
  const Model model = LoadModel(options.model, options.run, {}, 1);
  SayNoGpu(model);
  Json results = Json::array();
  bool all_read = true;
  for (const auto& path : options.images) {
    const std::string file = path.string();
    try {
      const auto ranking = Predict(model, path, options.top);
      if (options.json) {
        results.push_back(RankingJson(model, file, ranking));
      } else {
        PrintRanking(model, file, ranking);
      }
    } catch (const Error& error) {
      all_read = false;
      fmt::print(stderr, "alexnet: {}\n", error.what());
      results.push_back({{"file", file}, {"error", error.what()}});
    }
  }
  if (options.json) {
    Write(results.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  return all_read ? 0 : 1;
}

}  // namespace

Action AddPredict(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("images", options->images,
                 "picture files: JPEG, PNG, PPM, BMP, TIFF or WebP")
      ->required();
  AddWeightsOption(app, options->model);
  AddClassNamesOption(app, options->model);
  app.add_option("-k,--top", options->top, "how many classes to tell")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  AddRunOptions(
      app, options->run,
      {"arch", "mean", "std", "device", "precision", "algorithms", "threads"});
  app.add_flag("--json", options->json, "one JSON array on standard output");
  app.footer(
      "Each picture is resized and cut as the weight file says the training "
      "images were.\nExit code 1 if one of them could not be read.");
  return [options] { return PredictAll(*options); };
}

}  // namespace alexnet::cli
