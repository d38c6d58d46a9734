// SPDX-License-Identifier: MIT
// What the parts of gpu_check work on: drawn images, engines, steps.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "alexnet/engine.h"

namespace alexnet::gpu_check {

using Clock = std::chrono::steady_clock;

inline double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// `count` images of any bytes, the same every time, and their labels.
struct Images {
  Images(const Shape3& shape, int64_t count, int64_t classes);
  std::vector<uint8_t> pixels;
  std::vector<int32_t> labels;
  std::vector<int64_t> numbers;
  ImageView view;
};

inline constexpr Shape3 kCifar = {3, 32, 32};

EngineSpec CudaSpec(const ModelSpec& model, const Shape3& source, int64_t batch,
                    Precision precision,
                    Algorithms algorithms = Algorithms::kExact);

// Throws Error where the GPU has no room for them.
StagedImages Stage(Engine& engine, const Images& images);

// `steps` steps over staged images, waiting a few steps behind.
void Train(Engine& engine, const Images& data, StagedImages staged,
           int64_t steps);

// Of all parameters, one after the other.
std::vector<float> AllWeights(Engine& engine);

}  // namespace alexnet::gpu_check
