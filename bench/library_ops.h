// SPDX-License-Identifier: MIT
// oneDNN's own primitives for the jobs of our kernels, each in the layouts it
// likes best, or as a convolution leaves them: no change of layout is timed.
#pragma once

#include <functional>

#include "alexnet/model.h"

namespace alexnet {

// Runs once, to the end.
using LibraryOp = std::function<void()>;

enum class Pass { kForward, kData, kWeights };

LibraryOp LibraryConv(const Conv2dSpec& conv, const Shape3& input,
                      const Shape3& output, int64_t images, Pass pass);
LibraryOp LibraryLinear(const LinearSpec& linear, int64_t images);
// The weights' gradient, stored, and after it a loop of Adam over the weights.
LibraryOp LibraryLinearUpdate(const LinearSpec& linear, int64_t images);
// Bilinear, of float32 images; without rounding to bytes and normalising.
LibraryOp LibraryResize(const Shape3& from, const Shape3& to, int64_t images);
// Forward, with what its backward pass needs, or (Pass::kData) backward.
LibraryOp LibraryPool(const MaxPool2dSpec& pool, const Shape3& input,
                      const Shape3& output, int64_t images, Pass pass);
// Multiplies by a mask that is there already.
LibraryOp LibraryMask(int64_t elements);

}  // namespace alexnet
