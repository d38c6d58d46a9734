// SPDX-License-Identifier: MIT
// The first convolution with blocks of pixels taken as channels. One whose
// windows lie S pixels apart is one of stride 1 over blocks of S × S pixels
// (AlexNet's 11 × 11 with stride 4 over 3 channels: 3 × 3 over 48). Tensor
// cores want channels by eights, and cuDNN's fast kernels a stride of 1. Its
// filters have taps beyond their edge, which stay zero.
#pragma once

#include "alexnet/model.h"
#include "core/host_device.h"

namespace alexnet::cuda {

// Blocks that cover so many pixels, or taps.
template <class Int>
ALEXNET_HOST_DEVICE Int BlocksIn(Int length, Int size) {
  return (length + size - 1) / size;
}

// How the network's input lies in memory: N × H/S × W/S × (S × S × C), with the
// convolution's padding in it; the image itself for S = 1.
struct InputBlocks {
  Shape3 image;
  int64_t size = 1;  // S
  int64_t top = 0;   // padding
  int64_t left = 0;
  Shape3 stored;
};

InputBlocks BlocksOf(const ModelSpec& model);

// The convolution over the blocks.
Conv2dSpec OverBlocks(const Conv2dSpec& conv, const InputBlocks& blocks);

}  // namespace alexnet::cuda
