// SPDX-License-Identifier: MIT
// alexnet info --plan: what a step needs before anything has run.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "alexnet/engine.h"
#include "bench/floor.h"

namespace alexnet::cli {

struct Plan {
  EngineSpec spec;                // as the engine resolved it
  std::vector<MemoryUse> memory;  // by purpose, the whole process
  int64_t bytes = 0;              // their sum: the peak to expect
  Floor floor;
  std::string kernels;  // the engine's choice of algorithms
};

// Makes an engine, whose memory is planned but not yet touched.
Plan MakePlan(const EngineSpec& spec, int64_t dataset_bytes);

std::string AsText(const Plan& plan);
nlohmann::ordered_json AsJson(const Plan& plan);

}  // namespace alexnet::cli
