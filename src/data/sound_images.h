// SPDX-License-Identifier: MIT
// The images of a set that can be read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "alexnet/dataset.h"

namespace alexnet {

// Reads every image once, on `threads` threads, and leaves out those that
// throw an Error; tells `say`, if given, which and how many. Error if none is
// left.
std::unique_ptr<Dataset> SoundImages(
    std::unique_ptr<Dataset> dataset, int64_t threads,
    const std::function<void(const std::string&)>& say);

// Calls work(i) for 0 ≤ i < count on `threads` threads, in no order. The first
// exception ends it and is thrown.
void ForEachInParallel(int64_t count, int64_t threads,
                       const std::function<void(int64_t)>& work);

}  // namespace alexnet
