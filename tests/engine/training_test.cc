// SPDX-License-Identifier: MIT
// What engines do in training beyond plain gradients, each against the explicit
// calculation: optimizers, clipping, frozen layers, the average, smoothing.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "alexnet/engine.h"
#include "alexnet/error.h"
#include "engine/hashed_values.h"
#include "engine/op_cases.h"
#include "engine/optimizer.h"
#include "engine/relative_error.h"

namespace alexnet {
namespace {

using testing_support::Conv;
using testing_support::RelativeError;
using testing_support::Values;

using Tensors = std::map<std::string, std::vector<float>>;

constexpr int64_t kImages = 6;

class TrainingTest : public ::testing::TestWithParam<Device> {
 protected:
  TrainingTest() {
    const LayerOp pool = MaxPool2dSpec{{3, 3}, {2, 2}, {}, false};
    spec_.model = testing_support::Net(
        {3, 11, 11},
        {Conv(3, 9, {3, 3}), ReluSpec{}, pool, Conv(9, 18, {3, 3}), ReluSpec{},
         FlattenSpec{}, LinearSpec{72, 33}, ReluSpec{}, DropoutSpec{0.3},
         LinearSpec{33, 20}, ReluSpec{}},
        5);
    spec_.source = spec_.model.input;
    spec_.batch_size = kImages;
    spec_.device = GetParam();
    spec_.algorithms = Algorithms::kExact;
    spec_.threads = 2;
    pixels_ = testing_support::Images(0, kImages, 11);
  }

  std::unique_ptr<Engine> Make() const {
    std::unique_ptr<Engine> engine = MakeEngine(spec_);
    Initialize(*engine, 4);
    BeginAverage(*engine);
    return engine;
  }

  StepResult Step(Engine& engine, int64_t step = 1, double rate = 1e-2) const {
    Batch batch;
    batch.images = {pixels_, spec_.source};
    batch.labels = labels_;
    return engine.Wait(
        engine.TrainStep(batch, {.step = step, .learning_rate = rate}));
  }

  Tensors All(const Engine& engine, State state) const {
    Tensors all;
    for (const ParameterInfo& info : Parameters(spec_.model)) {
      std::vector<float>& values = all[info.name];
      values.resize(static_cast<size_t>(info.elements));
      engine.Read(state, info.name, values);
    }
    return all;
  }

  static double Norm(const Tensors& tensors) {
    double squares = 0;
    for (const auto& [name, values] : tensors) {
      for (const float x : values) squares += double{x} * double{x};
    }
    return std::sqrt(squares);
  }

  // Five steps of the engine against the update applied to its own gradients.
  void ExpectUpdates(double multiplier = 1) {
    const std::unique_ptr<Engine> engine = Make();
    const std::vector<ParameterInfo> infos = Parameters(spec_.model);
    Tensors w = All(*engine, State::kParameter), average = w, m, v;
    for (const auto& [name, values] : w) {
      m[name].resize(values.size());
      v[name].resize(values.size());
    }
    for (int64_t step = 1; step <= 5; ++step) {
      const double rate = step < 3 ? 1e-2 : 1e-3;
      Step(*engine, step, rate);
      const Tensors gradients = All(*engine, State::kGradient);
      for (const ParameterInfo& info : infos) {
        const double lr = info.bias ? multiplier : 1;
        UpdateTile({w[info.name].data(), m[info.name].data(),
                    v[info.name].data(), average[info.name].data()},
                   gradients.at(info.name).data(), info.elements,
                   MakeCoefficients({.optimizer = spec_.optimizer,
                                     .step = step,
                                     .learning_rate = rate,
                                     .gradient_scale = ClipScale(
                                         Norm(gradients), spec_.clip_norm),
                                     .average_decay = spec_.average_decay},
                                    lr, info.bias ? 0 : 1));
      }
    }
    const Tensors now = All(*engine, State::kParameter);
    const Tensors velocity = All(*engine, State::kFirstMoment);
    for (const auto& [name, values] : w) {
      EXPECT_LE(RelativeError(now.at(name), values), 1e-6) << name;
      EXPECT_LE(RelativeError(velocity.at(name), m[name]), 1e-5) << name;
    }
    if (spec_.average_decay == 0) return;
    const Tensors kept = All(*engine, State::kAverage);
    for (const auto& [name, values] : average) {
      EXPECT_LE(RelativeError(kept.at(name), values), 1e-6) << name;
    }
  }

  EngineSpec spec_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_ = {0, 1, 2, 3, 4, 0};
};

TEST_P(TrainingTest, EveryOptimizerWithMultipliers) {
  for (LayerSpec& layer : spec_.model.layers) {
    layer.rates = {.bias_lr = 2, .bias_decay = 0};
  }
  for (const auto kind : {OptimizerKind::kSgd, OptimizerKind::kCaffeSgd,
                          OptimizerKind::kAdam, OptimizerKind::kAdamW}) {
    SCOPED_TRACE(Name(kind));
    spec_.optimizer = {.kind = kind, .nesterov = true, .weight_decay = 0.01};
    ExpectUpdates(2);
  }
}

// Over blocks of pixels a filter has taps beyond its edge, which must neither
// count for the norm nor learn.
TEST_P(TrainingTest, TheFirstConvolutionWithAStride) {
  spec_.model = testing_support::Net(
      {3, 11, 11}, {Conv(3, 8, {5, 6}, {4, 4}, {1, 1, 1, 1}), ReluSpec{}}, 5);
  spec_.clip_norm = 0.05;
  ExpectUpdates();
  const std::unique_ptr<Engine> trained = Make();
  for (int64_t step = 1; step <= 5; ++step) Step(*trained, step);
  const std::unique_ptr<Engine> given = Make();
  for (const auto& [name, values] : All(*trained, State::kParameter)) {
    given->Write(State::kParameter, name, values);
  }
  EXPECT_DOUBLE_EQ(Step(*trained, 6).loss, Step(*given, 6).loss);
}

TEST_P(TrainingTest, AverageWithClipping) {
  for (LayerSpec& layer : spec_.model.layers) layer.rates.bias_decay = 0;
  spec_.optimizer.kind = OptimizerKind::kSgd;
  spec_.average_decay = 0.3;
  spec_.clip_norm = 0.05;
  ExpectUpdates();
}

TEST_P(TrainingTest, TheNormIsThatOfAllGradients) {
  for (const int64_t slice : {int64_t{0}, int64_t{2}}) {
    spec_.clip_norm = 1e-3;
    spec_.slice_size = slice;
    const std::unique_ptr<Engine> engine = Make();
    const double norm = Step(*engine).gradient_norm;
    EXPECT_NEAR(norm, Norm(All(*engine, State::kGradient)), 1e-5 * norm);
    EXPECT_GT(norm, spec_.clip_norm);
  }
}

TEST_P(TrainingTest, StatesThatTheOptimizerLacksAreRefused) {
  spec_.optimizer.kind = OptimizerKind::kSgd;
  const std::unique_ptr<Engine> engine = Make();
  std::vector<float> bias(9);
  EXPECT_NO_THROW(engine->Read(State::kFirstMoment, "0.bias", bias));
  EXPECT_THROW(engine->Read(State::kSecondMoment, "0.bias", bias), UsageError);
  EXPECT_THROW(engine->Write(State::kAverage, "0.bias", bias), UsageError);
}

// Whatever is frozen stays; the others train as if nothing were.
TEST_P(TrainingTest, FrozenLayersStay) {
  const std::vector<std::vector<std::string>> choices = {
      {"0"}, {"0", "3"}, {"0", "3", "6"}, {"3"}, {"6"}, {"9", "last"}};
  const std::unique_ptr<Engine> free = Make();
  Step(*free);
  const Tensors expected = All(*free, State::kGradient);
  const ModelSpec model = spec_.model;
  for (const std::vector<std::string>& names : choices) {
    SCOPED_TRACE(names.back());
    spec_.model = model;
    spec_.clip_norm = 1e9;
    Freeze(spec_.model, names);
    const std::unique_ptr<Engine> engine = Make();
    const Tensors before = All(*engine, State::kParameter);
    const StepResult result = Step(*engine);
    const Tensors gradients = All(*engine, State::kGradient);
    const Tensors after = All(*engine, State::kParameter);
    for (const ParameterInfo& info : Parameters(spec_.model)) {
      const std::string& name = info.name;
      EXPECT_EQ(after.at(name) == before.at(name), info.frozen) << name;
      const std::vector<float> zero(gradients.at(name).size());
      EXPECT_LE(RelativeError(gradients.at(name),
                              info.frozen ? zero : expected.at(name)),
                1e-5)
          << name;
    }
    EXPECT_NEAR(result.gradient_norm, Norm(gradients),
                1e-5 * result.gradient_norm);
  }
  for (LayerSpec& layer : spec_.model.layers) layer.frozen = true;
  EXPECT_THROW(Make(), UsageError);
}

// A frozen convolution transforms its weights once; what the steps write must
// not lie where they are kept.
TEST_P(TrainingTest, FrozenConvolutionsComputeTheSameAfterSteps) {
  const Padding one = {1, 1, 1, 1};
  spec_.model = testing_support::Net(
      {3, 11, 11},
      {Conv(3, 16, {3, 3}, {1, 1}, one), ReluSpec{},
       Conv(16, 32, {3, 3}, {1, 1}, one), ReluSpec{},
       // Trained, with scratch in the backward pass that is larger than that.
       Conv(32, 32, {3, 3}, {1, 1}, one), ReluSpec{}, FlattenSpec{},
       LinearSpec{3872, 20}, ReluSpec{}},
      5);
  spec_.algorithms = Algorithms::kFast;
  Freeze(spec_.model, std::vector<std::string>{"0", "2"});
  const std::unique_ptr<Engine> engine = Make();
  for (int64_t step = 1; step <= 3; ++step) Step(*engine, step);
  // On a GPU algorithms are chosen by their times.
  if (GetParam() == Device::kCuda) spec_.kernel_plan = engine->kernel_plan();
  const std::unique_ptr<Engine> fresh = Make();
  for (const ParameterInfo& info : Parameters(spec_.model)) {
    std::vector<float> values(static_cast<size_t>(info.elements));
    engine->Read(State::kParameter, info.name, values);
    fresh->Write(State::kParameter, info.name, values);
  }
  Batch batch;
  batch.images = {pixels_, spec_.source};
  std::vector<float> logits(5 * kImages), expected(5 * kImages);
  engine->Infer(batch, logits);
  fresh->Infer(batch, expected);
  EXPECT_EQ(logits, expected);
}

TEST_P(TrainingTest, FrozenLayersTakeNoMemory) {
  const auto bytes = [&] {
    int64_t total = 0;
    for (const MemoryUse& use : Make()->Memory()) total += use.bytes;
    return total;
  };
  const int64_t all = bytes();
  Freeze(spec_.model, std::vector<std::string>{"0", "3", "6"});
  if (GetParam() == Device::kReference) {
    EXPECT_LE(bytes(), all);
  } else {
    EXPECT_LT(bytes(), all);
  }
}

TEST_P(TrainingTest, SwappingTheAverageTwiceChangesNothing) {
  spec_.average_decay = 0.5;
  const std::unique_ptr<Engine> engine = Make();
  for (int64_t step = 1; step <= 3; ++step) Step(*engine, step);
  const Tensors w = All(*engine, State::kParameter);
  const Tensors a = All(*engine, State::kAverage);
  EXPECT_NE(w, a);
  SwapAverage(*engine);
  EXPECT_EQ(All(*engine, State::kParameter), a);
  EXPECT_EQ(All(*engine, State::kAverage), w);
  SwapAverage(*engine);
  EXPECT_EQ(All(*engine, State::kParameter), w);
  EXPECT_EQ(All(*engine, State::kAverage), a);
}

// Smoothed classes are the probabilities (1 − ε)·label + ε/classes.
TEST_P(TrainingTest, SmoothedLabelsAreProbabilities) {
  std::vector<float> target(static_cast<size_t>(kImages) * 5, 0.2F / 5);
  for (size_t i = 0; i < labels_.size(); ++i) {
    target[i * 5 + static_cast<size_t>(labels_[i])] += 0.8F;
  }
  const std::unique_ptr<Engine> plain = Make();
  Batch batch;
  batch.images = {pixels_, spec_.source};
  batch.label_probabilities = target;
  const double loss = plain->Wait(plain->TrainStep(batch, {})).loss;
  spec_.label_smoothing = 0.2;
  const std::unique_ptr<Engine> smoothed = Make();
  EXPECT_NEAR(Step(*smoothed, 1, 1e-3).loss, loss, 1e-6);
  const Tensors expected = All(*plain, State::kGradient);
  for (const auto& [name, values] : All(*smoothed, State::kGradient)) {
    EXPECT_LE(RelativeError(values, expected.at(name)), 1e-5) << name;
  }
}

TEST_P(TrainingTest, OptionsThatMakeNoSenseAreRefused) {
  const auto refused = [&](auto change) {
    const EngineSpec kept = spec_;
    change(spec_);
    EXPECT_THROW(MakeEngine(spec_), UsageError);
    spec_ = kept;
  };
  refused([](EngineSpec& s) { s.label_smoothing = 1; });
  refused([](EngineSpec& s) { s.clip_norm = -1; });
  refused([](EngineSpec& s) { s.average_decay = 1; });
  refused([](EngineSpec& s) { s.optimizer.momentum = 1; });
  refused([](EngineSpec& s) { s.model.layers[0].rates.bias_lr = -1; });
}

INSTANTIATE_TEST_SUITE_P(
    , TrainingTest, ::testing::ValuesIn(testing_support::AvailableDevices()),
    [](const auto& info) { return std::string(Name(info.param)); });

}  // namespace
}  // namespace alexnet
