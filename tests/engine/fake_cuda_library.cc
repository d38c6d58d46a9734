// SPDX-License-Identifier: MIT
// Stands in for libalexnet_cuda.so: EMPTY has no door, OLD is of another
// version, FAKE is well but has no GPU.
#include "engine/cuda_library.h"

#ifndef EMPTY
namespace {

std::string Problem() { return "there is no driver"; }

std::unique_ptr<alexnet::Engine> Make(const alexnet::EngineSpec&) {
  throw alexnet::UsageError("out of GPU memory");
}

}  // namespace

extern "C" const alexnet::CudaLibrary* alexnet_cuda_library() {
  static const std::string abi = alexnet::CudaLibraryAbi(ALEXNET_VERSION);
  static const alexnet::CudaLibrary library = {abi.c_str(), Problem, Make};
  return &library;
}
#endif
