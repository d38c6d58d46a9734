// SPDX-License-Identifier: MIT
// PyTorch's .pth files, written.
#pragma once

#include <filesystem>

#include "alexnet/weights.h"

namespace alexnet {

// A state_dict as torch.save writes it, which torch.load(weights_only=True)
// takes, and the metadata in a record of its own, alexnet.json. One tensor at
// a time is in memory; the file appears whole or not at all. Its bytes depend
// on the arguments alone, not on its name.
void WriteTorch(const std::filesystem::path& path, const TensorSource& tensors,
                const ModelMetadata& metadata);

}  // namespace alexnet
