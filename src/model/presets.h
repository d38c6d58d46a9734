// SPDX-License-Identifier: MIT
// The networks that presets.cc knows by name, one function and file each.
#pragma once

#include "alexnet/model.h"

namespace alexnet {

ModelSpec NotePreset(const PresetOptions& options);
ModelSpec Lenet5Preset(const PresetOptions& options);

}  // namespace alexnet
