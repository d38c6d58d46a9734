// SPDX-License-Identifier: MIT
#include "plan.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/isa.h"
#include "core/machine.h"
#include "output.h"

namespace alexnet::cli {

Plan MakePlan(const EngineSpec& spec, int64_t dataset_bytes) {
  Plan plan;
  const std::unique_ptr<Engine> engine = MakeEngine(spec);
  plan.memory = engine->Memory();
  if (dataset_bytes > 0) {
    plan.memory.push_back({"images of the data set", dataset_bytes});
  }
  plan.memory.push_back({"program and libraries", ResidentMemory()});
  for (const MemoryUse& use : plan.memory) plan.bytes += use.bytes;
  plan.spec = engine->spec();
  plan.kernels = engine->kernel_plan();
  plan.floor = MeasureFloor(plan.spec);
  return plan;
}

std::string AsText(const Plan& plan) {
  const EngineSpec& spec = plan.spec;
  std::string text = fmt::format(
      "\n{} with batches of {} (slices of {}) in {}, {} threads, {}\n\n",
      spec.training ? "training" : "inference", spec.batch_size,
      spec.slice_size, Name(spec.precision), spec.threads, Name(SelectedIsa()));
  for (const MemoryUse& use : plan.memory) {
    text += fmt::format("{:<50} {:>10}\n", use.purpose,
                        Bytes(static_cast<double>(use.bytes)));
  }
  text += fmt::format("{:<50} {:>10}\n", "peak to expect",
                      Bytes(static_cast<double>(plan.bytes)));
  text += fmt::format(
      "\na step takes {:.0f} ms by direct convolution in float32 at this "
      "machine's {:.0f} GFLOP/s\nand {:.1f} GB/s\n\nalgorithms (forward, "
      "backward data, backward weights)\n{}",
      1e3 * plan.floor.seconds, plan.floor.flops_per_s / 1e9,
      plan.floor.bytes_per_s / 1e9, plan.kernels);
  return text;
}

nlohmann::ordered_json AsJson(const Plan& plan) {
  nlohmann::ordered_json json = {{"training", plan.spec.training},
                                 {"batch_size", plan.spec.batch_size},
                                 {"slice_size", plan.spec.slice_size},
                                 {"precision", Name(plan.spec.precision)},
                                 {"threads", plan.spec.threads},
                                 {"isa", Name(SelectedIsa())},
                                 {"peak_bytes", plan.bytes},
                                 {"floor_s", plan.floor.seconds},
                                 {"kernel_plan", plan.kernels}};
  for (const MemoryUse& use : plan.memory) {
    json["memory_bytes"][use.purpose] = use.bytes;
  }
  return json;
}

}  // namespace alexnet::cli
