// SPDX-License-Identifier: MIT
// In place of cpu/ in a build without oneDNN.
#include "alexnet/error.h"
#include "engine/factories.h"

namespace alexnet {

bool HasCpuEngine() { return false; }

std::unique_ptr<Engine> MakeCpuEngine(const EngineSpec&) {
  throw Error("this build has no oneDNN engine; use the device 'reference'");
}

}  // namespace alexnet
