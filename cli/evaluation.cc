// SPDX-License-Identifier: MIT
#include "evaluation.h"

#include <fmt/format.h>

#include "data/augmented.h"
#include "train/evaluate.h"
#include "train/run.h"

namespace alexnet::cli {

std::optional<EvalReport> EvaluateFile(
    const ModelFileOptions& file, const RunOptions& given,
    const std::stop_token& stop,
    const std::function<void(std::span<const float>)>& on_logits,
    int64_t ten_crop) {
  const auto say = [](const std::string& text) {
    fmt::print(stderr, "alexnet: {}\n", text);
  };
  RunOptions options = given;
  const auto weights = OpenWeights(file.weights);
  if (weights->metadata()) TakeFromFile(*weights->metadata(), options);
  const auto images = LoadDataset(options, Split::kTest, say);
  const auto view = ten_crop > 0 ? TenCrops(*images, ten_crop)
                                 : EvaluationView(options, *images);
  const Dataset& seen = view ? *view : *images;
  const Model model = LoadModelFor(seen, file, options);
  SayNoGpu(model);
  auto evaluation =
      EvaluateUnlessStopped(*model.engine, seen,
                            {.loader_threads = LoaderThreads(options, seen),
                             .on_logits = on_logits,
                             .stop = stop,
                             .views = ten_crop > 0 ? kTenCropViews : 1});
  if (!evaluation) return {};
  return EvalReport{.weights = file.weights.string(),
                    .class_names = model.metadata.class_names,
                    .evaluation = *std::move(evaluation)};
}

}  // namespace alexnet::cli
