// SPDX-License-Identifier: MIT
#include "bench/tune.h"

#include <algorithm>
#include <map>

#include "bench/bench.h"
#include "core/isa.h"
#include "engine/cpu/kernel_plan.h"

namespace alexnet {
namespace {

using cpu::ConvAlgorithms;
using cpu::KernelPlan;

// Forward, backward data, backward weights. The backward passes are timed
// together, so that each pair of algorithms has its turn; those of one
// algorithm first, which also give the forward passes.
std::vector<ConvAlgorithms> Choices(const EngineSpec& spec) {
  using enum cpu::ConvAlgorithm;
  std::vector<cpu::ConvAlgorithm> algorithms = {kDirect, kWinograd};
  if (spec.precision == Precision::kBfloat16 && SelectedIsa() >= Isa::kAmx) {
    algorithms.push_back(kTiles);
  }
  std::vector<ConvAlgorithms> choices;
  for (const auto all : algorithms) choices.push_back({all, all, all});
  if (!spec.training) return choices;
  for (const auto data : algorithms) {
    for (const auto weights : algorithms) {
      if (data != weights) choices.push_back({kWinograd, data, weights});
    }
  }
  return choices;
}

KernelPlan PlanEverywhere(const ModelSpec& model,
                          const ConvAlgorithms& algorithms) {
  KernelPlan plan;
  for (const LayerSpec& layer : model.layers) {
    if (!std::holds_alternative<Conv2dSpec>(layer.op)) continue;
    plan.convolutions[layer.name] = algorithms;
  }
  return plan;
}

// The lowest times of each convolution with one choice. What an engine cannot
// do as asked it does in its usual way; its plan tells.
struct Measured {
  KernelPlan plan;
  std::map<std::string, LayerTimes, std::less<>> layers;
};

Measured Measure(EngineSpec spec, const Dataset& dataset, int64_t steps,
                 const ConvAlgorithms& algorithms) {
  spec.kernel_plan = PlanEverywhere(spec.model, algorithms).ToString();
  const std::unique_ptr<Engine> engine = MakeEngine(spec);
  Initialize(*engine, spec.seed);
  Measured result;
  result.plan = KernelPlan::Parse(engine->kernel_plan());
  for (const LayerTimes& layer : FastestLayers(
           *engine, dataset,
           {.training = spec.training, .steps = steps, .warmup = 1})) {
    result.layers[layer.layer] = layer;
  }
  return result;
}

// Shapes and fields of a line; its times are for the caller to fill in.
std::map<std::string, TunedTime, std::less<>> Lines(const ModelSpec& model) {
  std::map<std::string, TunedTime, std::less<>> lines;
  const std::vector<LayerInfo> infos = InferLayers(model);
  for (size_t i = 0; i < infos.size(); ++i) {
    const LayerSpec& layer = model.layers[i];
    const auto* conv = std::get_if<Conv2dSpec>(&layer.op);
    if (!conv) continue;
    TunedTime& line = lines[layer.name];
    line.layer = layer.name;
    line.input = infos[i].input;
    line.conv = *conv;
  }
  return lines;
}

size_t Fastest(const std::vector<Measured>& all, const std::string& layer,
               double LayerTimes::*part) {
  const auto best = std::min_element(
      all.begin(), all.end(), [&](const Measured& a, const Measured& b) {
        return a.layers.at(layer).*part < b.layers.at(layer).*part;
      });
  return static_cast<size_t>(best - all.begin());
}

}  // namespace

Tuning Tune(const EngineSpec& spec, const Dataset& dataset, int64_t steps) {
  std::vector<Measured> all;
  for (const ConvAlgorithms& choice : Choices(spec)) {
    all.push_back(Measure(spec, dataset, steps, choice));
  }
  Tuning tuning;
  KernelPlan best;
  const auto lines = Lines(spec.model);
  for (const auto& [layer, unused] : all.front().plan.convolutions) {
    const size_t forward = Fastest(all, layer, &LayerTimes::forward);
    const size_t backward = Fastest(all, layer, &LayerTimes::backward);
    ConvAlgorithms& chosen = best.convolutions[layer];
    chosen = all[backward].plan.For(layer);
    chosen.forward = all[forward].plan.For(layer).forward;
    for (size_t i = 0; i < all.size(); ++i) {
      const LayerTimes& times = all[i].layers.at(layer);
      TunedTime& line = tuning.times.emplace_back(lines.at(layer));
      line.algorithms = Text(all[i].plan.For(layer));
      line.forward = times.forward;
      line.backward = times.backward;
      line.chosen_forward = i == forward;
      line.chosen_backward = i == backward;
    }
  }
  tuning.kernel_plan = best.ToString();
  return tuning;
}

}  // namespace alexnet
