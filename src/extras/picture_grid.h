// SPDX-License-Identifier: MIT
// Many pictures as one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image/image_file.h"

namespace alexnet {

// The images, all of one size, row by row, with its caption under each (or no
// captions at all). Small images are enlarged in whole pixels. Throws
// UsageError if the sizes differ or the picture would be too large.
Image Grid(const std::vector<Image>& images, int64_t columns,
           const std::vector<std::string>& captions = {});

}  // namespace alexnet
