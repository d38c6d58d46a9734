// SPDX-License-Identifier: MIT
// What the kernels over all parameters at once divide their work by.
#pragma once

#include <cstdint>

namespace alexnet::cuda {

// Sixteen values for each of a block's 256 threads: enough for the parameter's
// coefficients to be read seldom, and few enough for a small parameter not to
// keep one block busy while the others wait.
inline constexpr int32_t kTileElements = 4096;

// A piece of the flat arrays that lies within one parameter, in whole groups of
// four values.
struct FlatTile {
  int64_t begin = 0;
  int32_t elements = 0;
  int32_t parameter = 0;
};

}  // namespace alexnet::cuda
