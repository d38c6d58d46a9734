// SPDX-License-Identifier: MIT
#include "gpu_work.h"

#include "alexnet/error.h"

namespace alexnet::gpu_check {
namespace {

uint8_t Byte(int64_t i) {
  const auto x = static_cast<uint64_t>(i) * 0x9E3779B97F4A7C15;
  return static_cast<uint8_t>(x >> 56);
}

}  // namespace

Images::Images(const Shape3& shape, int64_t count, int64_t classes) {
  pixels.resize(static_cast<size_t>(count * shape.elements()));
  int64_t at = 0;
  for (uint8_t& pixel : pixels) pixel = Byte(++at);
  for (int64_t i = 0; i < count; ++i) {
    labels.push_back(static_cast<int32_t>(i % classes));
    numbers.push_back(i);
  }
  view = {pixels, shape};
}

EngineSpec CudaSpec(const ModelSpec& model, const Shape3& source, int64_t batch,
                    Precision precision, Algorithms algorithms) {
  EngineSpec spec;
  spec.model = model;
  spec.source = source;
  spec.batch_size = batch;
  spec.precision = precision;
  spec.algorithms = algorithms;
  spec.device = Device::kCuda;
  spec.seed = 5;
  return spec;
}

StagedImages Stage(Engine& engine, const Images& images) {
  const StagedImages staged = engine.Stage(images.view);
  if (staged.id < 0) {
    throw Error(
        Concat("the GPU has no room for ", images.labels.size(), " images"));
  }
  return staged;
}

std::vector<float> AllWeights(Engine& engine) {
  std::vector<float> all;
  for (const ParameterInfo& info : Parameters(engine.spec().model)) {
    std::vector<float> values(static_cast<size_t>(info.elements));
    engine.Read(State::kParameter, info.name, values);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

void Train(Engine& engine, const Images& data, StagedImages staged,
           int64_t steps) {
  const auto batch_size = static_cast<size_t>(engine.spec().batch_size);
  std::vector<Ticket> tickets;
  for (int64_t s = 0; s < steps; ++s) {
    const size_t batches = data.numbers.size() / batch_size;
    const size_t first = static_cast<size_t>(s) % batches * batch_size;
    Batch batch;
    batch.staged = staged;
    batch.indices = std::span(data.numbers).subspan(first, batch_size);
    batch.labels = std::span(data.labels).subspan(first, batch_size);
    tickets.push_back(
        engine.TrainStep(batch, {.step = s + 1, .learning_rate = 1e-4}));
    if (s >= 8) engine.Wait(tickets[static_cast<size_t>(s) - 8]);
  }
  engine.Wait(tickets.back());
}

}  // namespace alexnet::gpu_check
