// SPDX-License-Identifier: MIT
// One step of InferLayers.
#pragma once

#include "alexnet/model.h"

namespace alexnet {

// What `layer` makes of `input`, or UsageError.
LayerInfo InferLayer(const LayerSpec& layer, const Shape3& input);

}  // namespace alexnet
