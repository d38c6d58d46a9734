// SPDX-License-Identifier: MIT
// Chooses the engine and puts the initial parameters into one.
#include "core/machine.h"
#include "engine/batch_check.h"
#include "engine/factories.h"

namespace alexnet {
namespace {

Device Resolve(Device device) {
  if (device != Device::kAuto) return device;
  if (HasCudaEngine()) return Device::kCuda;
  return HasCpuEngine() ? Device::kCpu : Device::kReference;
}

}  // namespace

std::unique_ptr<Engine> MakeEngine(const EngineSpec& spec) {
  CheckEngineSpec(spec);
  EngineSpec resolved = spec;
  resolved.device = Resolve(spec.device);
  if (resolved.threads == 0) resolved.threads = UsableCores();
  switch (resolved.device) {
    case Device::kCuda:
      return MakeCudaEngine(resolved);
    case Device::kCpu:
      return MakeCpuEngine(resolved);
    case Device::kReference:
    case Device::kAuto:
      break;
  }
  return MakeReferenceEngine(resolved);
}

void Initialize(Engine& engine, uint64_t seed) {
  InitialParameters(
      engine.spec().model, seed,
      [&](const ParameterInfo& parameter, std::span<const float> values) {
        engine.Write(State::kParameter, parameter.name, values);
      });
}

}  // namespace alexnet
