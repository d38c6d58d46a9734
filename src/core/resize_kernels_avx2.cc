// SPDX-License-Identifier: MIT
#include "core/resize_kernels.h"

namespace alexnet::avx2 {
namespace {
#include "core/resize_kernels-inl.h"
}  // namespace

const ResizeKernels kResizeKernels = {.row = Row, .column = Column};

}  // namespace alexnet::avx2
