// SPDX-License-Identifier: MIT
#include "gpu_speed.h"

#include <stdio.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>
#include <span>
#include <vector>

#include "alexnet/error.h"
#include "engine/loss.h"
#include "gpu_work.h"

namespace alexnet::gpu_check {
namespace {

double Accuracy(Engine& engine, const Images& images) {
  const StagedImages staged = Stage(engine, images);
  const auto batch_size = static_cast<size_t>(engine.spec().batch_size);
  const auto classes = static_cast<size_t>(engine.spec().model.classes);
  std::vector<float> logits;
  size_t correct = 0;
  for (size_t at = 0; at < images.numbers.size(); at += batch_size) {
    const size_t count = std::min(batch_size, images.numbers.size() - at);
    Batch batch;
    batch.staged = staged;
    batch.indices = std::span(images.numbers).subspan(at, count);
    logits.resize(count * classes);
    engine.Infer(batch, logits);
    for (size_t i = 0; i < count; ++i) {
      const std::span<const float> row(logits.data() + i * classes, classes);
      if (ArgMax(row) == images.labels[at + i]) ++correct;
    }
  }
  return static_cast<double>(correct) /
         static_cast<double>(images.numbers.size());
}

}  // namespace

std::optional<double> GpuMemoryInUse() {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
      popen("all=${CUDA_VISIBLE_DEVICES:-0}; nvidia-smi -i \"${all%%,*}\" "
            "--query-gpu=memory.used --format=csv,noheader,nounits "
            "2>/dev/null",
            "r"),
      pclose);
  double mebibytes = 0;
  if (!pipe || fscanf(pipe.get(), "%lf", &mebibytes) != 1) return {};
  return mebibytes * (1 << 20);
}

Speed MeasureTraining(const EngineSpec& spec, std::optional<double> idle) {
  constexpr int64_t kWarmUp = 10;
  constexpr double kRunSeconds = 0.3;
  std::array<double, 5> rates{};
  const int64_t batch = spec.batch_size;
  const auto begin = Clock::now();
  const std::unique_ptr<Engine> engine = MakeEngine(spec);
  Initialize(*engine, 1);
  Speed speed;
  speed.setup_seconds = SecondsSince(begin);
  speed.plan = engine->kernel_plan();
  const Images data(kCifar, 50000, 10);
  const StagedImages staged = Stage(*engine, data);
  for (const MemoryUse& use : engine->Memory()) speed.memory += use.bytes;
  Train(*engine, data, staged, kWarmUp);
  const auto warm = Clock::now();
  Train(*engine, data, staged, kWarmUp);
  const double step = SecondsSince(warm) / kWarmUp;
  const auto steps = std::max<int64_t>(5, std::llround(kRunSeconds / step));
  for (double& rate : rates) {
    const auto start = Clock::now();
    Train(*engine, data, staged, steps);
    rate = static_cast<double>(steps * batch) / SecondsSince(start);
  }
  const std::optional<double> in_use = GpuMemoryInUse();
  if (idle && in_use) speed.in_use = *in_use - *idle;
  std::ranges::sort(rates);
  speed.low = rates.front();
  speed.median = rates[rates.size() / 2];
  speed.high = rates.back();
  return speed;
}

double EpochSeconds(Precision precision) {
  constexpr int64_t kBatch = 32;
  const Images data(kCifar, 50000, 10);
  const std::unique_ptr<Engine> engine =
      MakeEngine(CudaSpec(MakePreset("note"), kCifar, kBatch, precision));
  Initialize(*engine, 1);
  const StagedImages staged = Stage(*engine, data);
  Train(*engine, data, staged, 20);
  const auto begin = Clock::now();
  Train(*engine, data, staged, 50000 / kBatch);
  return SecondsSince(begin);
}

int WholeJob(const std::string& file) {
  constexpr int64_t kBatch = 32;
  const Images train(kCifar, 50000, 10);
  const Images test(kCifar, 10000, 10);
  const auto begin = Clock::now();
  const std::unique_ptr<Engine> engine = MakeEngine(
      CudaSpec(MakePreset("note"), kCifar, kBatch, Precision::kBfloat16));
  Initialize(*engine, 1);
  const double setup = SecondsSince(begin);
  Train(*engine, train, Stage(*engine, train), 2 * 50000 / kBatch);
  const double trained = SecondsSince(begin);
  const std::vector<float> weights = AllWeights(*engine);
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(weights.data()),
            static_cast<std::streamsize>(weights.size() * sizeof(float)));
  out.close();
  const double accuracy = Accuracy(*engine, test);
  std::cout << Concat("{\"setup_s\": ", setup,
                      ", \"training_s\": ", trained - setup,
                      ", \"rest_s\": ", SecondsSince(begin) - trained,
                      ", \"accuracy\": ", accuracy, "}\n");
  return out ? 0 : 1;
}

}  // namespace alexnet::gpu_check
