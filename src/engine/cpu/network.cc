// SPDX-License-Identifier: MIT
#include "engine/cpu/network.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "alexnet/error.h"

namespace alexnet::cpu {
namespace {

constexpr int64_t kCacheLine = 64;

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

template <class Spec>
bool Is(const ModelSpec& model, size_t layer) {
  return layer < model.layers.size() &&
         std::holds_alternative<Spec>(model.layers[layer].op);
}

// What becomes of a ReLU right after `layer`.
Relu ReluAfter(const ModelSpec& model, size_t layer) {
  if (!Is<ReluSpec>(model, layer + 1)) return Relu::kNone;
  return Is<MaxPool2dSpec>(model, layer + 2) ? Relu::kByPool : Relu::kFused;
}

bool Trains(const ModelSpec& model, size_t layer) {
  return !model.layers[layer].frozen &&
         (Is<Conv2dSpec>(model, layer) || Is<LinearSpec>(model, layer));
}

// Adds the time of its life to a sum.
class Timer {
 public:
  explicit Timer(double& sum) : sum_(sum) {}
  ~Timer() {
    const std::chrono::duration<double> taken = Clock::now() - start_;
    sum_ += taken.count();
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& sum_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace

void Builder::NeedScratchpad(const Desc& desc, int tick) {
  scratchpad->bytes = std::max(scratchpad->bytes, Bytes(desc));
  scratchpad->UseAt(tick);
}

Activation Builder::MakeActivation(const Shape3& shape, bool flat,
                                   const Desc& desc) {
  Activation activation{shape, flat, desc, nullptr, nullptr};
  activation.value = arena.Add("activations", Bytes(desc), forward_tick());
  if (training()) {
    activation.gradient =
        arena.Add("activation gradients", Bytes(desc), backward_tick());
  }
  return activation;
}

Parameter& Builder::AddParameter(const ParameterInfo& info,
                                 const Desc& canonical, const Desc& desc,
                                 Gradient gradient) {
  Parameter& parameter = parameters.emplace_back();
  parameter.info = info;
  parameter.canonical = canonical;
  parameter.desc = desc;
  parameter.kind = gradient;
  parameter.trained = spec.training && !info.frozen;
  return parameter;
}

Network::Network(const EngineSpec& spec, int64_t slice, int64_t slices,
                 const KernelPlan& plan, const Kernels& kernels)
    : slice_(slice), slices_(slices), training_(spec.training) {
  if (training_) states_ = TrainingStates(spec);
  const Shape3& in = spec.model.input;
  input_.shape = in;
  input_.desc = Plain({slice, in.channels, in.height, in.width});
  input_.value = arena_.Add("activations", Bytes(input_.desc), 0);
  resize_scratch_ = arena_.Add(
      "resize", slice * in.channels * spec.source.height * in.width, 0);
  Builder builder{.spec = spec,
                  .slice = slice,
                  .slices = slices,
                  .dnnl = dnnl_,
                  .kernels = kernels,
                  .arena = arena_,
                  .parameters = parameters_,
                  .scratchpad = arena_.Add("scratch of the library", 0, 0)};
  // A layer takes at most two units: its own and a change of layout before.
  builder.unit_count = static_cast<int>(2 * spec.model.layers.size()) + 2;
  builder.units = 1;
  AddUnits(builder, spec.model, plan);
  logits().value->UseAt(builder.unit_count);
  if (training_) logits().gradient->UseAt(builder.unit_count);
  arena_.Plan();
}

void Network::AddUnits(Builder& builder, const ModelSpec& model,
                       const KernelPlan& plan) {
  const std::vector<LayerInfo> infos = InferLayers(model);
  std::vector<ParameterInfo> parameters = Parameters(model);
  const auto parameters_of = [&](size_t layer) {
    const auto first =
        std::find_if(parameters.begin(), parameters.end(),
                     [&](const auto& p) { return p.layer == layer; });
    return std::span<const ParameterInfo>(first, 2);
  };
  const auto add = [&](std::unique_ptr<Unit> unit) {
    units_.push_back(std::move(unit));
    ++builder.units;
  };
  const auto last = [&] {
    return units_.empty() ? input_ : units_.back()->output();
  };
  bool pool_rectifies = false;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const std::string& name = model.layers[i].name;
    const LayerOp& op = model.layers[i].op;
    if (!builder.reached) first_trained_ = units_.size();
    builder.reached = builder.reached || Trains(model, i);
    if (const auto* conv = std::get_if<Conv2dSpec>(&op)) {
      const Relu relu = ReluAfter(model, i);
      add(MakeConvUnit(builder, name, *conv, infos[i].output, parameters_of(i),
                       relu, plan.For(name), last()));
      pool_rectifies = relu == Relu::kByPool;
      if (relu != Relu::kNone) ++i;
    } else if (const auto* linear = std::get_if<LinearSpec>(&op)) {
      const bool relu = Is<ReluSpec>(model, i + 1);
      // After a 1×1 map there need be no Flatten.
      if (!last().flat)
        add(MakePlainUnit(builder, name, /*flat=*/true, last()));
      add(MakeLinearUnit(builder, name, *linear, parameters_of(i),
                         relu ? Relu::kFused : Relu::kNone, last()));
      if (relu) ++i;
    } else if (const auto* pool = std::get_if<MaxPool2dSpec>(&op)) {
      add(MakePoolUnit(builder, name, *pool, infos[i].output, pool_rectifies,
                       last()));
      pool_rectifies = false;
    } else if (const auto* lrn = std::get_if<LocalResponseNormSpec>(&op)) {
      if (lrn->size % 2 == 0) add(MakePlainUnit(builder, name, false, last()));
      add(MakeLrnUnit(builder, name, *lrn, last()));
    } else if (const auto* map = std::get_if<MapResponseNormSpec>(&op)) {
      add(MakePlainUnit(builder, name, /*flat=*/false, last()));
      add(MakeMapNormUnit(builder, name, *map, last()));
    } else if (std::holds_alternative<ReluSpec>(op)) {
      add(MakeReluUnit(builder, name, last()));
    } else if (std::holds_alternative<FlattenSpec>(op)) {
      add(MakePlainUnit(builder, name, /*flat=*/true, last()));
    } else if (const auto* dropout = std::get_if<DropoutSpec>(&op)) {
      if (last().desc != Plain(last().desc.dims())) {
        add(MakePlainUnit(builder, name, /*flat=*/false, last()));
      }
      add(MakeDropoutUnit(builder, name, dropout->p, static_cast<int64_t>(i),
                          last()));
    }
  }
  if (!last().flat) add(MakePlainUnit(builder, "logits", true, last()));
}

// How often a parameter's space is needed: value, stored gradient, states.
int64_t Network::Copies(const Parameter& p) const {
  if (!p.trained) return 1;
  return (p.kind == Gradient::kStored ? 2 : 1) +
         static_cast<int64_t>(states_.size());
}

int64_t Network::state_bytes() const {
  int64_t bytes = 0;
  for (const Parameter& p : parameters_) {
    bytes += Copies(p) * RoundUp(Bytes(p.desc), kCacheLine);
  }
  return bytes;
}

int64_t Network::planned_bytes() const {
  int64_t bytes = arena_.bytes() + state_bytes();
  for (const auto& unit : units_) bytes += unit->persistent_bytes();
  return bytes;
}

float** Place(Parameter& parameter, State state) {
  switch (state) {
    case State::kParameter:
      return &parameter.value;
    case State::kGradient:
      return &parameter.gradient;
    case State::kFirstMoment:
      return &parameter.m;
    case State::kSecondMoment:
      return &parameter.v;
    case State::kAverage:
      return &parameter.average;
  }
  return nullptr;
}

void Network::Allocate() {
  arena_.Allocate();
  state_ = Pages(state_bytes());
  std::byte* next = state_.data();
  const auto take = [&next](const Parameter& p) {
    auto* place = reinterpret_cast<float*>(next);
    next += RoundUp(Bytes(p.desc), kCacheLine);
    return place;
  };
  for (Parameter& p : parameters_) {
    p.value = take(p);
    if (!p.trained) continue;
    for (const State state : states_) *Place(p, state) = take(p);
    if (p.kind == Gradient::kStored) p.gradient = take(p);
  }
  for (const auto& unit : units_) {
    unit->Bind();
    times_.push_back({.layer = unit->name()});
  }
}

std::vector<MemoryUse> Network::Memory() const {
  int64_t parameters = 0;
  int64_t moments = 0;
  int64_t gradients = 0;
  int64_t kept = 0;
  for (const Parameter& p : parameters_) {
    parameters += Bytes(p.desc);
    if (!p.trained) continue;
    moments += static_cast<int64_t>(states_.size()) * Bytes(p.desc);
    if (p.kind == Gradient::kStored) gradients += Bytes(p.desc);
  }
  for (const auto& unit : units_) kept += unit->persistent_bytes();
  return {{"parameters", parameters},
          {"optimizer state", moments},
          {"gradients of convolutions and biases", gradients},
          {"inputs and gradients kept by the linear layers", kept},
          {"activations and scratch (one arena)", arena_.bytes()}};
}

void Network::Forward(const Slice& slice) {
  for (size_t i = 0; i < units_.size(); ++i) {
    const Timer timer(times_[i].forward);
    units_[i]->Forward(slice);
  }
}

void Network::Backward(const Slice& slice) {
  for (size_t i = units_.size(); i-- > first_trained_;) {
    const Timer timer(times_[i].backward);
    units_[i]->Backward(slice);
  }
}

void Network::Update(int64_t images, const UpdateStep& step) {
  for (size_t i = 0; i < units_.size(); ++i) {
    const Timer timer(times_[i].update);
    units_[i]->Update(images, step);
  }
}

void Network::ClearTimes() {
  for (LayerTimes& times : times_) {
    times.forward = times.backward = times.update = 0;
  }
}

}  // namespace alexnet::cpu
