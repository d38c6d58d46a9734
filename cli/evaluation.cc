// SPDX-License-Identifier: MIT
#include "evaluation.h"

#include "train/evaluate.h"
#include "train/run.h"

namespace alexnet::cli {

std::optional<EvalReport> EvaluateFile(
    const ModelFileOptions& file, const RunOptions& options,
    const std::stop_token& stop,
    const std::function<void(std::span<const float>)>& on_logits) {
  const auto images = LoadDataset(options, Split::kTest);
  const Model model = LoadModelFor(*images, file, options);
  auto evaluation =
      EvaluateUnlessStopped(*model.engine, *images,
                            {.loader_threads = options.loader_threads,
                             .on_logits = on_logits,
                             .stop = stop});
  if (!evaluation) return {};
  return EvalReport{.weights = file.weights.string(),
                    .class_names = model.metadata.class_names,
                    .evaluation = *std::move(evaluation)};
}

}  // namespace alexnet::cli
