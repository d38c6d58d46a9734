// SPDX-License-Identifier: MIT
// The door of libalexnet_cuda.so.
#include "engine/cuda/cuda_engine.h"
#include "engine/cuda_library.h"

namespace alexnet {
namespace {

std::unique_ptr<Engine> Make(const EngineSpec& spec) {
  return std::make_unique<cuda::CudaEngine>(spec);
}

}  // namespace
}  // namespace alexnet

extern "C" [[gnu::visibility("default")]] const alexnet::CudaLibrary*
alexnet_cuda_library() {
  static const std::string abi = alexnet::CudaLibraryAbi(ALEXNET_VERSION);
  static const alexnet::CudaLibrary library = {
      abi.c_str(), alexnet::cuda::DeviceProblem, alexnet::Make};
  return &library;
}
