// SPDX-License-Identifier: MIT
// What the program and libalexnet_cuda.so agree on. The library has one C
// function, which gives a table; nothing of the table but the abi text is
// touched until that text is known to be the program's own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/error.h"

namespace alexnet {

inline constexpr const char* kCudaLibraryFile = "libalexnet_cuda.so";
inline constexpr const char* kCudaLibraryFunction = "alexnet_cuda_library";

struct CudaLibrary {
  const char* abi;
  // Why no GPU can be used, or empty.
  std::string (*problem)();
  // Throws as MakeEngine does. Never null.
  std::unique_ptr<Engine> (*make)(const EngineSpec& spec);
};
using CudaLibraryFunction = const CudaLibrary*();

// The sizes of types, each after a space.
template <class... T>
std::string Sizes() {
  return Concat(Concat(" ", sizeof(T))...);
}

// Of whoever includes this: the version, and the layout of all that crosses.
inline std::string CudaLibraryAbi(const char* version) {
  return Concat("alexnet ", version, ", C++ ABI ", __GXX_ABI_VERSION, ".",
                _GLIBCXX_USE_CXX11_ABI, ", ", std::variant_size_v<LayerOp>,
                " kinds of layers, layout",
                Sizes<Conv2dSpec, LocalResponseNormSpec, MapResponseNormSpec,
                      MaxPool2dSpec, DropoutSpec, LinearSpec, LayerOp, InitSpec,
                      RateSpec, LayerSpec, ModelSpec>(),
                Sizes<InputTransform, OptimizerSpec, EngineSpec, ImageView,
                      Batch, StepParams, StepTimes, NonFinite, StepResult,
                      LayerTimes, MemoryUse, CudaLibrary>());
}

// A library that was opened and is ours, or why there is none.
struct OpenedCudaLibrary {
  const CudaLibrary* library = nullptr;
  std::string problem;
};

// Tries the files in turn: the first that exists must do. A name without a
// folder is left to the system's search.
OpenedCudaLibrary OpenCudaLibrary(
    const std::vector<std::filesystem::path>& files);

// Where the program looks: the file that ALEXNET_CUDA_LIBRARY names and no
// other; else beside the program, in ../lib, where the library was installed,
// and by the system's search.
std::vector<std::filesystem::path> CudaLibraryFiles();

}  // namespace alexnet
