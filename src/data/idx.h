// SPDX-License-Identifier: MIT
// MNIST and Fashion-MNIST: idx files, as they are or with .gz.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "alexnet/dataset.h"

namespace alexnet {

// `name` is mnist or fashion-mnist. From `dir` itself, or as torchvision lays
// it out, from MNIST/raw or FashionMNIST/raw in it. The grey images get
// `channels` equal channels.
std::unique_ptr<Dataset> LoadMnist(const std::filesystem::path& dir,
                                   const std::string& name, Split split,
                                   int64_t channels);

}  // namespace alexnet
