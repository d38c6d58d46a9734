// SPDX-License-Identifier: MIT
// What MakeEngine chooses from. A spec that arrives here has been checked, its
// device is the factory's own and its threads are counted. A build without a
// backend has a stub in its place, which says so.
#pragma once

#include <memory>
#include <string>

#include "alexnet/engine.h"

namespace alexnet {

std::unique_ptr<Engine> MakeReferenceEngine(const EngineSpec& spec);

bool HasCpuEngine();
std::unique_ptr<Engine> MakeCpuEngine(const EngineSpec& spec);

// True if the CUDA library can be loaded and the machine has a GPU for it;
// else CudaProblem() says why not.
bool HasCudaEngine();
std::string CudaProblem();
std::unique_ptr<Engine> MakeCudaEngine(const EngineSpec& spec);

// MakeEngine, with another's GPU: for tests where there is none.
struct CudaBackend {
  std::string (*problem)() = CudaProblem;
  std::unique_ptr<Engine> (*make)(const EngineSpec&) = MakeCudaEngine;
};
std::unique_ptr<Engine> MakeEngineWith(const CudaBackend& cuda,
                                       const EngineSpec& spec,
                                       std::string* no_gpu);

}  // namespace alexnet
