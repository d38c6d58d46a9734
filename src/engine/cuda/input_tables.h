// SPDX-License-Identifier: MIT
// What MakeInput reads beside the pixels, on the device: how to resize, and
// what each byte becomes.
#pragma once

#include "alexnet/engine.h"
#include "engine/cuda/check.h"
#include "engine/cuda/kernels.h"

namespace alexnet::cuda {

class InputTables {
 public:
  explicit InputTables(const EngineSpec& spec);

  // For an input in that layout. Points into this.
  InputSpec As(const InputBlocks& blocks) const;
  // For one of N × H × W × C.
  InputSpec AsImages() const;

 private:
  InputSpec input_;
  DeviceBytes resize_;
  DeviceBytes normalised_;
};

}  // namespace alexnet::cuda
