// SPDX-License-Identifier: MIT
// The naive network behind the Engine interface. One thread.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>

#include "alexnet/error.h"
#include "core/resize.h"
#include "engine/batch_check.h"
#include "engine/factories.h"
#include "engine/loss.h"
#include "engine/non_finite.h"
#include "engine/optimizer.h"
#include "engine/reference/reference_network.h"

namespace alexnet {
namespace {

constexpr int64_t kKeptResults = 64;
constexpr int64_t kDefaultSlice = 32;
constexpr const char* kPlan = "reference";

EngineSpec Resolved(EngineSpec spec) {
  if (!spec.kernel_plan.empty() && spec.kernel_plan != kPlan) {
    throw UsageError(Concat("kernel plan '", spec.kernel_plan,
                            "' is not one of the reference engine"));
  }
  const int64_t slice = spec.slice_size > 0 ? spec.slice_size : kDefaultSlice;
  spec.slice_size = std::min(slice, spec.batch_size);
  spec.device = Device::kReference;
  spec.threads = 1;
  return spec;
}

// Seconds since it was made or last asked.
class Stopwatch {
 public:
  double Lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> passed = now - last_;
    last_ = now;
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ =
      std::chrono::steady_clock::now();
};

class ReferenceEngine : public Engine {
 public:
  explicit ReferenceEngine(const EngineSpec& spec);

  const EngineSpec& spec() const override { return spec_; }
  StagedImages Stage(ImageView images) override {
    return staged_.Add(spec_, images);
  }
  Ticket TrainStep(const Batch& batch, const StepParams& step) override;
  StepResult Wait(Ticket ticket) override;
  void Infer(const Batch& batch, std::span<float> logits) override;
  void Preprocess(const Batch& batch, std::span<float> input) override;
  void Read(State state, std::string_view parameter,
            std::span<float> values) const override;
  void Write(State state, std::string_view parameter,
             std::span<const float> values) override;
  std::vector<MemoryUse> Memory() const override;
  std::string kernel_plan() const override { return kPlan; }

 private:
  void LoadImage(std::span<const uint8_t> pixels, std::span<float> input);
  double SliceLoss(const CheckedBatch& images, const Batch& batch,
                   int64_t first, int64_t count, int64_t& correct);
  std::optional<NonFinite> FindNonFinite(double loss) const;
  void ZeroFrozenGradients();
  double GradientNorm() const;
  void Update(const StepParams& step, double gradient_scale);
  size_t Find(std::string_view parameter) const;
  std::span<const float> Values(State state, std::string_view parameter) const;

  EngineSpec spec_;
  ReferenceNetwork<float> network_;
  // Each parameter's values of each state, empty where it is not kept.
  std::map<State, std::vector<std::vector<float>>> states_;
  StagedSets staged_;
  DropoutKeys dropout_;
  ResizePlan resize_;
  std::vector<uint8_t> resize_scratch_;
  std::vector<uint8_t> resized_;  // one plane
  std::array<StepResult, kKeptResults> results_;
  int64_t steps_ = 0;
};

ReferenceEngine::ReferenceEngine(const EngineSpec& spec)
    : spec_(Resolved(spec)),
      network_(spec_.model,
               {.max_images = spec_.slice_size, .training = spec_.training}),
      resize_({spec_.source.height, spec_.source.width},
              {spec_.model.input.height, spec_.model.input.width}) {
  for (const State state : TrainingStates(spec_)) {
    if (!spec_.training) break;
    for (const ParameterInfo& info : network_.parameters()) {
      states_[state].emplace_back(static_cast<size_t>(info.elements));
    }
  }
  dropout_.seed = spec_.seed;
  dropout_.samples.resize(static_cast<size_t>(spec_.slice_size));
  resize_scratch_.resize(static_cast<size_t>(resize_.scratch_bytes()));
  resized_.resize(
      static_cast<size_t>(spec_.model.input.height * spec_.model.input.width));
}

void ReferenceEngine::LoadImage(std::span<const uint8_t> pixels,
                                std::span<float> input) {
  const auto in_area =
      static_cast<size_t>(spec_.source.height * spec_.source.width);
  const size_t area = resized_.size();
  for (size_t c = 0; c < static_cast<size_t>(spec_.source.channels); ++c) {
    ResizePlane(resize_, pixels.subspan(c * in_area, in_area), resize_scratch_,
                resized_);
    const float mean = spec_.input.mean[c];
    const float std = spec_.input.std[c];
    for (size_t i = 0; i < area; ++i) {
      const float x = static_cast<float>(resized_[i]) / 255.0F;
      input[c * area + i] = (x - mean) / std;
    }
  }
}

// The summed loss of a slice whose logits are there; leaves their gradients,
// for the mean over the whole batch.
double ReferenceEngine::SliceLoss(const CheckedBatch& images,
                                  const Batch& batch, int64_t first,
                                  int64_t count, int64_t& correct) {
  const double scale = 1 / static_cast<double>(images.count());
  const auto classes = static_cast<size_t>(spec_.model.classes);
  double loss = 0;
  for (int64_t n = 0; n < count; ++n) {
    const auto image = static_cast<size_t>(first + n);
    const std::span<const float> logits = network_.logits(n);
    const std::span<float> gradient = network_.logits_gradient(n);
    int64_t truth = 0;
    if (batch.labels.empty()) {
      const std::span<const float> target =
          batch.label_probabilities.subspan(image * classes, classes);
      loss += SoftmaxCrossEntropy(gradient, logits, target, scale,
                                  spec_.label_smoothing);
      truth = ArgMax(target);
    } else {
      truth = batch.labels[image];
      loss += SoftmaxCrossEntropy(gradient, logits, batch.labels[image], scale,
                                  spec_.label_smoothing);
    }
    correct += ArgMax(logits) == truth;
  }
  return loss;
}

std::optional<NonFinite> ReferenceEngine::FindNonFinite(double loss) const {
  if (!std::isfinite(loss)) return NonFinite{"loss"};
  for (size_t i = 0; i < network_.parameters().size(); ++i) {
    if (!AllFinite(network_.gradient(i))) {
      return NonFinite{network_.parameters()[i].name};
    }
  }
  return std::nullopt;
}

// The naive loops go all the way back; what nobody trains is forgotten here.
void ReferenceEngine::ZeroFrozenGradients() {
  for (size_t i = 0; i < network_.parameters().size(); ++i) {
    if (!network_.parameters()[i].frozen) continue;
    std::ranges::fill(network_.gradient(i), 0.0F);
  }
}

double ReferenceEngine::GradientNorm() const {
  double squares = 0;
  for (size_t i = 0; i < network_.parameters().size(); ++i) {
    for (const float g : network_.gradient(i)) {
      squares += static_cast<double>(g) * static_cast<double>(g);
    }
  }
  return std::sqrt(squares);
}

void ReferenceEngine::Update(const StepParams& step, double gradient_scale) {
  const UpdateStep update = {.optimizer = spec_.optimizer,
                             .step = step.step,
                             .learning_rate = step.learning_rate,
                             .gradient_scale = gradient_scale,
                             .average_decay = spec_.average_decay};
  const auto values = [&](State state, size_t i) {
    const auto found = states_.find(state);
    return found == states_.end() ? nullptr : found->second[i].data();
  };
  for (size_t i = 0; i < network_.parameters().size(); ++i) {
    const ParameterInfo& info = network_.parameters()[i];
    if (info.frozen) continue;
    UpdateTile(
        {.w = network_.parameter(i).data(),
         .m = values(State::kFirstMoment, i),
         .v = values(State::kSecondMoment, i),
         .average = values(State::kAverage, i)},
        network_.gradient(i).data(), info.elements,
        MakeCoefficients(update, info.lr_multiplier, info.decay_multiplier));
  }
}

Ticket ReferenceEngine::TrainStep(const Batch& batch, const StepParams& step) {
  if (!spec_.training) {
    throw UsageError("this engine was made for inference and cannot train");
  }
  CheckStep(step);
  const CheckedBatch images(spec_, staged_, batch);
  CheckLabels(spec_, batch);
  StepResult result;
  result.images = images.count();
  dropout_.epoch = step.epoch;
  network_.ZeroGradients();
  Stopwatch watch;
  for (int64_t first = 0; first < images.count(); first += spec_.slice_size) {
    const int64_t count = std::min(spec_.slice_size, images.count() - first);
    for (int64_t n = 0; n < count; ++n) {
      LoadImage(images.pixels(first + n), network_.input(n));
      dropout_.samples[static_cast<size_t>(n)] = images.sample_id(first + n);
    }
    result.times.input += watch.Lap();
    network_.Forward(count, &dropout_);
    result.loss += SliceLoss(images, batch, first, count, result.correct);
    result.times.forward += watch.Lap();
    network_.Backward(count, &dropout_);
    result.times.backward += watch.Lap();
  }
  result.loss /= static_cast<double>(result.images);
  ZeroFrozenGradients();
  result.non_finite = FindNonFinite(result.loss);
  if (!result.non_finite) {
    if (spec_.clip_norm > 0) result.gradient_norm = GradientNorm();
    Update(step, ClipScale(result.gradient_norm, spec_.clip_norm));
  }
  result.times.update = watch.Lap();
  results_[static_cast<size_t>(steps_ % kKeptResults)] = result;
  return {steps_++};
}

StepResult ReferenceEngine::Wait(Ticket ticket) {
  if (ticket.id < std::max<int64_t>(0, steps_ - kKeptResults) ||
      ticket.id >= steps_) {
    throw UsageError(Concat("ticket ", ticket.id, " is not one of the last ",
                            kKeptResults, " of ", steps_, " steps"));
  }
  return results_[static_cast<size_t>(ticket.id % kKeptResults)];
}

void ReferenceEngine::Infer(const Batch& batch, std::span<float> logits) {
  const CheckedBatch images(spec_, staged_, batch);
  const int64_t classes = spec_.model.classes;
  CheckCount("logits", logits.size(), images.count() * classes);
  auto out = logits.begin();
  for (int64_t first = 0; first < images.count(); first += spec_.slice_size) {
    const int64_t count = std::min(spec_.slice_size, images.count() - first);
    for (int64_t n = 0; n < count; ++n) {
      LoadImage(images.pixels(first + n), network_.input(n));
    }
    network_.Forward(count, nullptr);
    for (int64_t n = 0; n < count; ++n) {
      out = std::copy_n(network_.logits(n).begin(), classes, out);
    }
  }
}

void ReferenceEngine::Preprocess(const Batch& batch, std::span<float> input) {
  const CheckedBatch images(spec_, staged_, batch);
  const int64_t elements = spec_.model.input.elements();
  CheckCount("input", input.size(), images.count() * elements);
  const auto size = static_cast<size_t>(elements);
  for (int64_t n = 0; n < images.count(); ++n) {
    LoadImage(images.pixels(n),
              input.subspan(static_cast<size_t>(n) * size, size));
  }
}

size_t ReferenceEngine::Find(std::string_view parameter) const {
  const std::vector<ParameterInfo>& infos = network_.parameters();
  for (size_t i = 0; i < infos.size(); ++i) {
    if (infos[i].name == parameter) return i;
  }
  throw UsageError(Concat("the network has no parameter '", parameter, "'"));
}

std::span<const float> ReferenceEngine::Values(
    State state, std::string_view parameter) const {
  const size_t i = Find(parameter);
  if (state == State::kParameter) return network_.parameter(i);
  if (!spec_.training) {
    throw UsageError(
        "this engine was made for inference: it has parameters only");
  }
  if (state == State::kGradient) return network_.gradient(i);
  const auto found = states_.find(state);
  if (found == states_.end()) {
    throw UsageError("this engine's optimizer keeps no such state");
  }
  return found->second[i];
}

void ReferenceEngine::Read(State state, std::string_view parameter,
                           std::span<float> values) const {
  const std::span<const float> source = Values(state, parameter);
  CheckCount(std::string(parameter).c_str(), values.size(),
             static_cast<int64_t>(source.size()));
  std::copy(source.begin(), source.end(), values.begin());
}

void ReferenceEngine::Write(State state, std::string_view parameter,
                            std::span<const float> values) {
  if (state == State::kGradient) throw UsageError("gradients are read only");
  const std::span<const float> target = Values(state, parameter);
  CheckCount(std::string(parameter).c_str(), values.size(),
             static_cast<int64_t>(target.size()));
  if (state != State::kParameter &&
      network_.parameters()[Find(parameter)].frozen) {
    return;
  }
  // Values() is const for Read's sake; the memory is this engine's own.
  std::copy(values.begin(), values.end(), const_cast<float*>(target.data()));
}

std::vector<MemoryUse> ReferenceEngine::Memory() const {
  const int64_t parameters =
      ParameterCount(spec_.model) * static_cast<int64_t>(sizeof(float));
  const int64_t trained = spec_.training ? parameters : 0;
  return {{"parameters", parameters},
          {"gradients", trained},
          {"optimizer state", static_cast<int64_t>(states_.size()) * trained},
          {"activations", network_.activation_bytes()},
          {"activation gradients", network_.activation_gradient_bytes()}};
}

}  // namespace

std::unique_ptr<Engine> MakeReferenceEngine(const EngineSpec& spec) {
  return std::make_unique<ReferenceEngine>(spec);
}

}  // namespace alexnet
