// SPDX-License-Identifier: MIT
// alexnet data stats: what the images of a set are like.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "command_line.h"
#include "core/machine.h"
#include "data/statistics.h"
#include "output.h"
#include "train/recipes.h"
#include "train/run.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

struct Options {
  RunOptions run;
  std::string what = "stats";
  std::string split = "train";
  int64_t most = 0;
  bool json = false;
};

std::string StatsText(const Dataset& dataset, const DataStatistics& stats) {
  const Shape3 shape = dataset.image_shape();
  std::string text =
      fmt::format("{} images of {} x {} x {} in {} classes ({} looked at)\n\n",
                  dataset.size(), shape.channels, shape.height, shape.width,
                  dataset.class_names().size(), stats.images);
  text += fmt::format("--mean {:.4f}\n--std  {:.4f}\n\n",
                      fmt::join(stats.mean, ","), fmt::join(stats.std, ","));
  text += "components of the colours: eigenvalue, vector (scale 0 to 1)\n";
  for (size_t k = 0; k < 3; ++k) {
    text += fmt::format("  {:.6f}  {: .4f}\n", stats.eigenvalues[k],
                        fmt::join(stats.eigenvectors[k], "  "));
  }
  text += "\nimages  class\n";
  for (size_t i = 0; i < stats.class_counts.size(); ++i) {
    text += fmt::format("{:>6}  {}\n", stats.class_counts[i],
                        dataset.class_names()[i]);
  }
  return text;
}

std::string StatsJson(const Dataset& dataset, const DataStatistics& stats) {
  const Shape3 shape = dataset.image_shape();
  nlohmann::ordered_json json;
  json["images"] = dataset.size();
  json["looked_at"] = stats.images;
  json["shape"] = {shape.channels, shape.height, shape.width};
  json["mean"] = stats.mean;
  json["std"] = stats.std;
  json["eigenvalues"] = stats.eigenvalues;
  json["eigenvectors"] = stats.eigenvectors;
  for (size_t i = 0; i < stats.class_counts.size(); ++i) {
    json["classes"].push_back({{"name", dataset.class_names()[i]},
                               {"images", stats.class_counts[i]}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

int Stats(const Options& options) {
  RunOptions run = options.run;
  ApplyRecipe(run.recipe, run);
  CheckOptions(run);
  const auto dataset =
      LoadDataset(run, options.split == "train" ? Split::kTrain : Split::kTest,
                  [](const std::string& text) {
                    fmt::print(stderr, "alexnet: {}\n", text);
                  });
  RunOptions all_cores = run;
  if (all_cores.loader_threads == 0) all_cores.loader_threads = UsableCores();
  const DataStatistics stats =
      MeasureData(*dataset, options.most, all_cores.loader_threads);
  Write(options.json ? StatsJson(*dataset, stats) : StatsText(*dataset, stats));
  return 0;
}

}  // namespace

Action AddData(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("what", options->what, "stats")
      ->check(CLI::IsMember({"stats"}))
      ->capture_default_str();
  app.add_option("--split", options->split, "train or test")
      ->check(CLI::IsMember({"train", "test"}))
      ->capture_default_str();
  app.add_option("--most", options->most,
                 "look at so many images, spread evenly (0: at all)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  AddRunOptions(
      app, options->run,
      {"recipe", "arch", "dataset", "data", "shapes-count", "image-size",
       "eval-crop", "cache", "damaged", "max-megapixels", "loader-threads"});
  app.add_flag("--json", options->json, "one JSON object on standard output");
  app.footer(
      "stats: mean and standard deviation for --mean and --std, the principal "
      "components\nof the colours that --augment pca uses, and the images of "
      "each class.");
  return [options] { return Stats(*options); };
}

}  // namespace alexnet::cli
