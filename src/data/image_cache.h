// SPDX-License-Identifier: MIT
// Images as they were decoded and resized, in one file: a header, a checksum
// for each image, and the bytes, which are mapped into memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "alexnet/dataset.h"

namespace alexnet {

// The same images from `file`, which is made at the first use and again when
// dataset->cache_key() has changed; it appears whole or not at all. A damaged
// header makes it anew, a damaged image is an Error when it is read. `say`, if
// given, is told what takes time.
std::unique_ptr<Dataset> Cached(
    std::unique_ptr<Dataset> dataset, const std::filesystem::path& file,
    int64_t threads, const std::function<void(const std::string&)>& say = {});

}  // namespace alexnet
