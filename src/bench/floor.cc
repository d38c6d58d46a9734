// SPDX-License-Identifier: MIT
#include "bench/floor.h"

#include <algorithm>

#include "engine/cpu/machine_peak.h"

namespace alexnet {
namespace {

// Bytes that no step can avoid: inference reads the parameters, training with
// Adam also writes them and reads and writes both moments.
double StepBytes(const EngineSpec& spec) {
  const auto parameters = static_cast<double>(ParameterCount(spec.model));
  if (spec.training) return 7 * 4 * parameters;
  return (spec.precision == Precision::kBfloat16 ? 2 : 4) * parameters;
}

}  // namespace

double StepFlops(const ModelSpec& model, int64_t images, bool training) {
  double macs = 0;
  bool first = true;
  for (const LayerInfo& layer : InferLayers(model)) {
    // Forward, the weights' gradient and, except before the first layer, the
    // data's gradient cost the same.
    const int passes = !training ? 1 : first ? 2 : 3;
    macs += passes * static_cast<double>(layer.macs);
    if (layer.macs > 0) first = false;
  }
  return 2 * macs * static_cast<double>(images);
}

Floor MeasureFloor(const EngineSpec& spec) {
  const cpu::MachinePeak peak = cpu::MeasurePeak(spec.threads);
  Floor floor;
  floor.flops = StepFlops(spec.model, spec.batch_size, spec.training);
  floor.bytes = StepBytes(spec);
  floor.flops_per_s = peak.flops_per_s;
  floor.bytes_per_s = peak.bytes_per_s;
  floor.seconds =
      std::max(floor.flops / peak.flops_per_s, floor.bytes / peak.bytes_per_s);
  return floor;
}

}  // namespace alexnet
