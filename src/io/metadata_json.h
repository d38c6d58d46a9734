// SPDX-License-Identifier: MIT
// ModelMetadata as the JSON that stands in weight files.
#pragma once

#include <string>

#include "alexnet/weights.h"

namespace alexnet {

std::string ToJson(const ModelMetadata& metadata);

// Every value is checked; an Error begins with `file_name`. A format_version
// beyond ours is refused.
ModelMetadata ParseModelMetadata(const std::string& text,
                                 const std::string& file_name);

}  // namespace alexnet
