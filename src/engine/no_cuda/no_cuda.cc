// SPDX-License-Identifier: MIT
// In place of cuda/ in a build without CUDA.
#include "alexnet/error.h"
#include "engine/factories.h"

namespace alexnet {

bool HasCudaEngine() { return false; }

std::unique_ptr<Engine> MakeCudaEngine(const EngineSpec&) {
  throw Error("this build has no CUDA engine; use --device cpu");
}

}  // namespace alexnet
