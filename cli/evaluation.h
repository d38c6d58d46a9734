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
// batch's logits, in the order of the test images' file.
std::optional<EvalReport> EvaluateFile(
    const ModelFileOptions& file, const RunOptions& options,
    const std::stop_token& stop,
    const std::function<void(std::span<const float>)>& on_logits = {});

}  // namespace alexnet::cli
