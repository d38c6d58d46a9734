// SPDX-License-Identifier: MIT
// A weight file on the test images.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <stop_token>

#include "eval_report.h"
#include "model_file.h"

namespace alexnet::cli {

// Nothing if `stop` was requested before the end. `on_logits` receives each
// batch's logits, in the order of the test images' file. `ten_crop`, if not 0,
// is the side of ten views of each image that are averaged.
std::optional<EvalReport> EvaluateFile(
    const ModelFileOptions& file, const RunOptions& options,
    const std::stop_token& stop,
    const std::function<void(std::span<const float>)>& on_logits = {},
    int64_t ten_crop = 0);

}  // namespace alexnet::cli
