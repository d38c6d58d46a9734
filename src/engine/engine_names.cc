// SPDX-License-Identifier: MIT
// Devices, precisions, algorithms and optimizers as words.
#include "alexnet/engine.h"
#include "alexnet/error.h"

namespace alexnet {
namespace {

template <class T>
struct Named {
  T value;
  std::string_view name;
};

constexpr Named<Device> kDevices[] = {{Device::kAuto, "auto"},
                                      {Device::kCpu, "cpu"},
                                      {Device::kReference, "reference"},
                                      {Device::kCuda, "cuda"}};

constexpr Named<Precision> kPrecisions[] = {{Precision::kFloat32, "fp32"},
                                            {Precision::kTf32, "tf32"},
                                            {Precision::kBfloat16, "bf16"}};

constexpr Named<Algorithms> kAlgorithms[] = {{Algorithms::kFast, "fast"},
                                             {Algorithms::kExact, "exact"}};

constexpr Named<OptimizerKind> kOptimizers[] = {
    {OptimizerKind::kSgd, "sgd"},
    {OptimizerKind::kCaffeSgd, "caffe-sgd"},
    {OptimizerKind::kAdam, "adam"},
    {OptimizerKind::kAdamW, "adamw"}};

template <class T, size_t n>
T Parse(const Named<T> (&table)[n], const char* what, std::string_view name) {
  std::string known;
  for (const Named<T>& entry : table) {
    if (entry.name == name) return entry.value;
    known += Concat(" ", entry.name);
  }
  throw UsageError(
      Concat("unknown ", what, " '", name, "'; known are:", known));
}

template <class T, size_t n>
std::string_view Find(const Named<T> (&table)[n], T value) {
  for (const Named<T>& entry : table) {
    if (entry.value == value) return entry.name;
  }
  return "?";
}

}  // namespace

Device ParseDevice(std::string_view name) {
  return Parse(kDevices, "device", name);
}
Precision ParsePrecision(std::string_view name) {
  return Parse(kPrecisions, "precision", name);
}
Algorithms ParseAlgorithms(std::string_view name) {
  return Parse(kAlgorithms, "choice of algorithms", name);
}
OptimizerKind ParseOptimizer(std::string_view name) {
  return Parse(kOptimizers, "optimizer", name);
}
std::string_view Name(OptimizerKind kind) { return Find(kOptimizers, kind); }
std::string_view Name(Device device) { return Find(kDevices, device); }
std::string_view Name(Precision precision) {
  return Find(kPrecisions, precision);
}
std::string_view Name(Algorithms algorithms) {
  return Find(kAlgorithms, algorithms);
}

}  // namespace alexnet
