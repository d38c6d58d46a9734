// SPDX-License-Identifier: MIT
// Image files as a data set, for prediction.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "alexnet/dataset.h"

namespace alexnet {

// One picture on the disk an image, resized to `size` as Pillow's bilinear
// resize does, label 0. The files are decoded by Read, that is by the loader's
// threads; one that cannot be read throws its Error there.
std::unique_ptr<Dataset> ImagesAsDataset(
    std::vector<std::filesystem::path> paths, Size2 size,
    std::vector<std::string> class_names);

}  // namespace alexnet
