// SPDX-License-Identifier: MIT
// An engine whose arithmetic is cheap and whose result depends on everything
// that a real one's depends on (pixels, labels, sample numbers, order, epoch,
// step, learning rate, seed), and which fails on demand.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/error.h"

namespace alexnet {

class FakeEngine : public Engine {
 public:
  explicit FakeEngine(EngineSpec spec) : spec_(std::move(spec)) {
    if (spec_.device == Device::kAuto) spec_.device = Device::kReference;
    if (spec_.threads == 0) spec_.threads = 1;
    if (spec_.slice_size == 0) spec_.slice_size = spec_.batch_size;
    for (const ParameterInfo& info : Parameters(spec_.model)) {
      for (const State state :
           {State::kParameter, State::kFirstMoment, State::kSecondMoment,
            State::kAverage, State::kGradient}) {
        values_[{state, info.name}].resize(static_cast<size_t>(info.elements));
      }
    }
  }

  // The step (as in StepParams) whose loss is NaN; 0: none.
  int64_t nan_at_step = 0;
  std::string nan_where = "loss";
  // If set, the loss of every step.
  double fixed_loss = 0;
  std::vector<int64_t> batch_sizes;
  std::vector<int64_t> samples;

  const EngineSpec& spec() const override { return spec_; }

  StagedImages Stage(ImageView images) override {
    staged_.push_back(images);
    return {static_cast<int64_t>(staged_.size()) - 1};
  }

  Ticket TrainStep(const Batch& batch, const StepParams& step) override {
    result_ = {};
    result_.images = batch.count();
    batch_sizes.push_back(batch.count());
    if (step.step == nan_at_step) {
      result_.loss = std::numeric_limits<double>::quiet_NaN();
      result_.non_finite = NonFinite{nan_where};
      return {step.step};
    }
    uint64_t digest = spec_.seed;
    for (int64_t i = 0; i < batch.count(); ++i) {
      const auto at = static_cast<size_t>(i);
      const int64_t sample = SampleId(batch, i);
      samples.push_back(sample);
      digest = Mix(digest ^ Digest(Pixels(batch, i)));
      digest = Mix(digest ^ static_cast<uint64_t>(batch.labels[at]));
      digest = Mix(digest ^ static_cast<uint64_t>(sample));
      result_.correct += (digest & 1) != 0;
    }
    digest = Mix(digest ^ static_cast<uint64_t>(step.epoch));
    Update(digest, step);
    result_.loss = fixed_loss != 0
                       ? fixed_loss
                       : 1 + Fraction(digest) / static_cast<double>(step.step);
    return {step.step};
  }

  StepResult Wait(Ticket) override { return result_; }

  // The class of each image is its first pixel; the others follow in order.
  void Infer(const Batch& batch, std::span<float> logits) override {
    const auto classes = static_cast<size_t>(spec_.model.classes);
    for (int64_t i = 0; i < batch.count(); ++i) {
      const size_t first = Pixels(batch, i)[0] % classes;
      for (size_t c = 0; c < classes; ++c) {
        const size_t rank = (c + classes - first) % classes;
        logits[static_cast<size_t>(i) * classes + c] =
            -static_cast<float>(rank);
      }
    }
  }

  void Preprocess(const Batch&, std::span<float>) override {}

  void Read(State state, std::string_view name,
            std::span<float> out) const override {
    const auto& values = values_.at({state, std::string(name)});
    ALEXNET_CHECK(values.size() == out.size());
    std::copy(values.begin(), values.end(), out.begin());
  }

  void Write(State state, std::string_view name,
             std::span<const float> in) override {
    auto& values = values_.at({state, std::string(name)});
    ALEXNET_CHECK(values.size() == in.size());
    std::copy(in.begin(), in.end(), values.begin());
  }

  std::vector<MemoryUse> Memory() const override { return {{"fake", 1}}; }
  std::string kernel_plan() const override {
    return spec_.kernel_plan.empty() ? "fake plan" : spec_.kernel_plan;
  }

  // Parameters and moments, to compare engines with.
  std::string State3() const {
    std::string bytes;
    for (const auto& [key, values] : values_) {
      if (key.first == State::kGradient) continue;
      bytes.append(reinterpret_cast<const char*>(values.data()),
                   values.size() * sizeof(float));
    }
    return bytes;
  }

 private:
  static uint64_t Mix(uint64_t x) {
    x = (x ^ (x >> 31)) * 0x9E3779B97F4A7C15U;
    return x ^ (x >> 29);
  }
  static double Fraction(uint64_t x) {
    return static_cast<double>(x >> 11) * 0x1p-53;
  }
  static uint64_t Digest(std::span<const uint8_t> pixels) {
    uint64_t digest = 1;
    for (const uint8_t pixel : pixels) digest = digest * 31 + pixel;
    return digest;
  }

  std::span<const uint8_t> Pixels(const Batch& batch, int64_t i) const {
    ImageView view = batch.images;
    int64_t index = i;
    if (!batch.indices.empty()) {
      view = staged_.at(static_cast<size_t>(batch.staged.id));
      index = batch.indices[static_cast<size_t>(i)];
    }
    const auto bytes = static_cast<size_t>(view.shape.elements());
    return view.pixels.subspan(static_cast<size_t>(index) * bytes, bytes);
  }

  static int64_t SampleId(const Batch& batch, int64_t i) {
    const auto at = static_cast<size_t>(i);
    if (!batch.sample_ids.empty()) return batch.sample_ids[at];
    return batch.indices.empty() ? i : batch.indices[at];
  }

  // Some values of each parameter, by a rule in which the order of steps and
  // both moments matter.
  void Update(uint64_t digest, const StepParams& step) {
    for (const ParameterInfo& info : Parameters(spec_.model)) {
      auto& w = values_.at({State::kParameter, info.name});
      auto& m = values_.at({State::kFirstMoment, info.name});
      auto& v = values_.at({State::kSecondMoment, info.name});
      auto& a = values_.at({State::kAverage, info.name});
      for (size_t i = 0; i < std::min<size_t>(w.size(), 50); ++i) {
        digest = Mix(digest + static_cast<uint64_t>(step.step));
        const auto g = static_cast<float>(Fraction(digest) - 0.5 + 0.1 * w[i]);
        m[i] = 0.9F * m[i] + 0.1F * g;
        v[i] = 0.999F * v[i] + 0.001F * g * g;
        w[i] -= static_cast<float>(step.learning_rate) * m[i] /
                (std::sqrt(v[i]) + 1e-8F);
        if (spec_.average_decay > 0) a[i] = 0.5F * (a[i] + w[i]);
      }
    }
  }

  EngineSpec spec_;
  std::map<std::pair<State, std::string>, std::vector<float>> values_;
  std::vector<ImageView> staged_;
  StepResult result_;
};

}  // namespace alexnet
