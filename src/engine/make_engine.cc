// SPDX-License-Identifier: MIT
// Chooses the engine and puts the initial parameters into one.
#include "alexnet/error.h"
#include "core/isa.h"
#include "core/machine.h"
#include "engine/batch_check.h"
#include "engine/factories.h"

namespace alexnet {
namespace {

// A plan made on another device means nothing here: the kernels are chosen
// anew, so that a checkpoint can move between devices.
bool PlanIsOf(Device device, std::string_view plan) {
  const Device made_on = plan.starts_with("cuda")        ? Device::kCuda
                         : plan.starts_with("reference") ? Device::kReference
                                                         : Device::kCpu;
  return made_on == device;
}

// On the CPU bfloat16 is for machines that compute with it.
void CheckPrecision(Device device, Precision precision,
                    const std::string& note = "") {
  if (device == Device::kCuda || precision == Precision::kFloat32) return;
  if (device == Device::kCpu && precision == Precision::kBfloat16) {
    const Isa isa = SelectedIsa();
    if (isa >= Isa::kAvx512Bf16) return;
    throw UsageError(Concat("bf16 needs a CPU with ", Name(Isa::kAvx512Bf16),
                            " instructions, this process has ", Name(isa),
                            "; use fp32", note));
  }
  throw UsageError(Concat("the ", Name(device), " engine has no ",
                          Name(precision), "; use fp32", note));
}

std::unique_ptr<Engine> MakeOn(Device device, const CudaBackend& cuda,
                               const EngineSpec& spec) {
  CheckPrecision(device, spec.precision);
  EngineSpec resolved = spec;
  resolved.device = device;
  if (resolved.threads == 0) resolved.threads = UsableCores();
  if (!PlanIsOf(device, resolved.kernel_plan)) resolved.kernel_plan.clear();
  if (device == Device::kCuda) return cuda.make(resolved);
  if (device == Device::kCpu) return MakeCpuEngine(resolved);
  return MakeReferenceEngine(resolved);
}

}  // namespace

std::unique_ptr<Engine> MakeEngineWith(const CudaBackend& cuda,
                                       const EngineSpec& spec,
                                       std::string* no_gpu) {
  CheckEngineSpec(spec);
  if (spec.device != Device::kAuto) return MakeOn(spec.device, cuda, spec);
  std::string why = cuda.problem();
  if (why.empty()) {
    try {
      return MakeOn(Device::kCuda, cuda, spec);
    } catch (const Error& error) {
      why = error.what();
    }
  }
  why = why.substr(0, why.find('\n'));
  if (no_gpu) *no_gpu = why;
  const Device host = HasCpuEngine() ? Device::kCpu : Device::kReference;
  CheckPrecision(host, spec.precision, Concat(" (no GPU is used: ", why, ")"));
  return MakeOn(host, cuda, spec);
}

std::unique_ptr<Engine> MakeEngine(const EngineSpec& spec,
                                   std::string* no_gpu) {
  return MakeEngineWith({}, spec, no_gpu);
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
