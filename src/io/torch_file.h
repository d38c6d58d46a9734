// SPDX-License-Identifier: MIT
// PyTorch's .pth files, opened for reading.
#pragma once

#include <filesystem>
#include <memory>

#include "alexnet/weights.h"

namespace alexnet {

// What torch.save has written since PyTorch 1.6: a zip archive of data.pkl and
// a file for each storage.
std::unique_ptr<WeightFile> OpenTorchZip(const std::filesystem::path& path);

// What it wrote before, and writes with _use_new_zipfile_serialization=False:
// five pickles, then the storages.
std::unique_ptr<WeightFile> OpenTorchLegacy(const std::filesystem::path& path);

}  // namespace alexnet
