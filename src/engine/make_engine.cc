// SPDX-License-Identifier: MIT
// Chooses the engine and puts the initial parameters into one.
#include "alexnet/error.h"
#include "core/isa.h"
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

// A plan made on another device means nothing here: the kernels are chosen
// anew, so that a checkpoint can move between devices.
bool PlanIsOf(Device device, std::string_view plan) {
  const Device made_on = plan.starts_with("cuda")        ? Device::kCuda
                         : plan.starts_with("reference") ? Device::kReference
                                                         : Device::kCpu;
  return made_on == device;
}

// On the CPU bfloat16 is for machines that compute with it.
void CheckPrecision(const EngineSpec& spec) {
  if (spec.device == Device::kCuda || spec.precision == Precision::kFloat32) {
    return;
  }
  if (spec.device == Device::kCpu && spec.precision == Precision::kBfloat16) {
    const Isa isa = SelectedIsa();
    if (isa >= Isa::kAvx512Bf16) return;
    throw UsageError(Concat("bf16 needs a CPU with ", Name(Isa::kAvx512Bf16),
                            " instructions, this process has ", Name(isa),
                            "; use fp32"));
  }
  throw UsageError(Concat("the ", Name(spec.device), " engine has no ",
                          Name(spec.precision), "; use fp32"));
}

}  // namespace

std::unique_ptr<Engine> MakeEngine(const EngineSpec& spec) {
  CheckEngineSpec(spec);
  EngineSpec resolved = spec;
  resolved.device = Resolve(spec.device);
  if (resolved.threads == 0) resolved.threads = UsableCores();
  if (!PlanIsOf(resolved.device, resolved.kernel_plan)) {
    resolved.kernel_plan.clear();
  }
  CheckPrecision(resolved);
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

std::vector<State> TrainingStates(const EngineSpec& spec) {
  std::vector<State> states = {State::kFirstMoment};
  const OptimizerKind kind = spec.optimizer.kind;
  if (kind == OptimizerKind::kAdam || kind == OptimizerKind::kAdamW) {
    states.push_back(State::kSecondMoment);
  }
  if (spec.average_decay > 0) states.push_back(State::kAverage);
  return states;
}

void BeginAverage(Engine& engine) {
  if (engine.spec().average_decay == 0) return;
  std::vector<float> values;
  for (const ParameterInfo& info : Parameters(engine.spec().model)) {
    values.resize(static_cast<size_t>(info.elements));
    engine.Read(State::kParameter, info.name, values);
    engine.Write(State::kAverage, info.name, values);
  }
}

// Through canonical values, so that every engine can do it: the order of a
// layout changes, not a bit.
void SwapAverage(Engine& engine) {
  if (engine.spec().average_decay == 0) return;
  std::vector<float> values;
  std::vector<float> average;
  for (const ParameterInfo& info : Parameters(engine.spec().model)) {
    if (info.frozen) continue;
    values.resize(static_cast<size_t>(info.elements));
    average.resize(values.size());
    engine.Read(State::kParameter, info.name, values);
    engine.Read(State::kAverage, info.name, average);
    engine.Write(State::kParameter, info.name, average);
    engine.Write(State::kAverage, info.name, values);
  }
}

}  // namespace alexnet
