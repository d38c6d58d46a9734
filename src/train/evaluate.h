// SPDX-License-Identifier: MIT
// Evaluation with what the trainer needs beyond the public Evaluate.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>

#include "alexnet/dataset.h"
#include "alexnet/engine.h"
#include "alexnet/train.h"

namespace alexnet {

struct EvaluateOptions {
  // What engine.Stage returned for dataset.staged_view(), if it was staged.
  StagedImages staged = {};
  int64_t loader_threads = 1;
  std::function<void(std::span<const float>)> on_logits = {};
  std::stop_token stop = {};
  // So many images in a row are views of one (data/augmented.h): what counts
  // is the mean of their probabilities, and `on_logits` gets its logarithms.
  int64_t views = 1;
};

// Nothing if `stop` was requested before the end.
std::optional<Evaluation> EvaluateUnlessStopped(Engine& engine,
                                                const Dataset& dataset,
                                                const EvaluateOptions& options);

// UsageError if the network has fewer outputs than the images have classes,
// or none of them, or if there are no images.
void CheckFits(const Engine& engine, const Dataset& dataset);

}  // namespace alexnet
