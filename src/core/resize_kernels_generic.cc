// SPDX-License-Identifier: MIT
#include "core/resize_kernels.h"

namespace alexnet::generic {
namespace {
#include "core/resize_kernels-inl.h"
}  // namespace

const ResizeKernels kResizeKernels = {.row = Row, .column = Column};

}  // namespace alexnet::generic
