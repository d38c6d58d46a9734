// SPDX-License-Identifier: MIT
// What every engine promises beyond its numbers.
#include "alexnet/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "alexnet/error.h"
#include "core/philox.h"
#include "engine/hashed_values.h"
#include "engine/op_cases.h"
#include "engine/relative_error.h"

namespace alexnet {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int64_t kImages = 5;

class EngineTest : public ::testing::TestWithParam<Device> {
 protected:
  EngineTest() {
    spec_.model = MakePreset("lenet5");
    spec_.source = {3, 32, 32};
    spec_.batch_size = kImages;
    spec_.device = GetParam();
    spec_.threads = 2;
    pixels_ = testing_support::Images(0, kImages, 32);
    batch_.images = {pixels_, spec_.source};
    batch_.labels = labels_;
  }

  std::unique_ptr<Engine> Make() {
    std::unique_ptr<Engine> engine = MakeEngine(spec_);
    Initialize(*engine, 3);
    return engine;
  }

  // On a GPU algorithms are chosen by their times: another engine might choose
  // others, which round otherwise.
  void UsePlanOf(const Engine& engine) {
    if (GetParam() == Device::kCuda) spec_.kernel_plan = engine.kernel_plan();
  }

  std::vector<float> Get(const Engine& engine, State state,
                         const std::string& name) {
    for (const ParameterInfo& info : Parameters(spec_.model)) {
      if (info.name != name) continue;
      std::vector<float> values(static_cast<size_t>(info.elements));
      engine.Read(state, name, values);
      return values;
    }
    throw std::logic_error(name);
  }

  StepResult Step(Engine& engine, int64_t step = 1, int64_t epoch = 0) {
    return engine.Wait(
        engine.TrainStep(batch_, {.step = step, .epoch = epoch}));
  }

  // Logits of the first image alone.
  std::vector<float> Logits(Engine& engine) {
    std::vector<float> logits(10);
    Batch one;
    one.images = {std::span(pixels_).first(3072), spec_.source};
    engine.Infer(one, logits);
    return logits;
  }

  // A network whose logits are its input after dropout.
  void UseDropoutOnly() {
    spec_.model =
        testing_support::Net({3, 4, 5}, {FlattenSpec{}, DropoutSpec{0.5}}, 60);
    spec_.source = spec_.model.input;
    spec_.seed = 11;
    pixels_.assign(kImages * 60, 255);
    batch_.images = {pixels_, spec_.source};
  }

  EngineSpec spec_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_ = {0, 1, 2, 3, 4};
  Batch batch_;
};

TEST_P(EngineTest, SpecIsResolved) {
  spec_.threads = 0;
  const std::unique_ptr<Engine> engine = Make();
  EXPECT_EQ(engine->spec().device, GetParam());
  EXPECT_GE(engine->spec().threads, 1);
  EXPECT_GE(engine->spec().slice_size, 1);
  EXPECT_LE(engine->spec().slice_size, kImages);
}

TEST_P(EngineTest, ParametersAreZeroUntilWritten) {
  const std::unique_ptr<Engine> engine = MakeEngine(spec_);
  for (const ParameterInfo& info : Parameters(spec_.model)) {
    for (const State state :
         {State::kParameter, State::kFirstMoment, State::kSecondMoment}) {
      EXPECT_THAT(Get(*engine, state, info.name), ::testing::Each(0.0F));
    }
  }
}

TEST_P(EngineTest, StateIsReadAsWritten) {
  const std::unique_ptr<Engine> engine = Make();
  uint64_t seed = 0;
  for (const State state :
       {State::kParameter, State::kFirstMoment, State::kSecondMoment}) {
    for (const ParameterInfo& info : Parameters(spec_.model)) {
      const std::vector<float> values =
          testing_support::Values(++seed, static_cast<size_t>(info.elements));
      engine->Write(state, info.name, values);
      EXPECT_EQ(Get(*engine, state, info.name), values) << info.name;
    }
  }
}

TEST_P(EngineTest, RefusesWrongNamesAndSizes) {
  const std::unique_ptr<Engine> engine = Make();
  std::vector<float> values(6);
  EXPECT_THROW(engine->Read(State::kParameter, "conv9.bias", values),
               UsageError);
  EXPECT_NO_THROW(engine->Read(State::kParameter, "conv1.bias", values));
  EXPECT_THROW(engine->Write(State::kGradient, "conv1.bias", values),
               UsageError);
  values.resize(5);
  EXPECT_THROW(engine->Read(State::kParameter, "conv1.bias", values),
               UsageError);
  EXPECT_THROW(engine->Write(State::kParameter, "conv1.bias", values),
               UsageError);
  EXPECT_THROW(engine->Infer(batch_, values), UsageError);
  EXPECT_THROW(engine->Preprocess(batch_, values), UsageError);
}

TEST_P(EngineTest, RefusesBadBatches) {
  const std::unique_ptr<Engine> engine = Make();
  labels_[2] = 10;
  EXPECT_THAT([&] { Step(*engine); },
              ThrowsMessage<Error>(HasSubstr("label 10")));
  labels_[2] = 2;
  EXPECT_THROW(Step(*engine, 0), UsageError);
  batch_.images.pixels = batch_.images.pixels.first(3071);
  EXPECT_THROW(Step(*engine), UsageError);
}

TEST_P(EngineTest, InferenceEnginesHaveNothingElse) {
  const std::vector<float> expected = Logits(*Make());
  spec_.training = false;
  const std::unique_ptr<Engine> engine = Make();
  EXPECT_LE(testing_support::RelativeError(Logits(*engine), expected), 1e-6);
  std::vector<float> bias(6);
  EXPECT_THROW(Step(*engine), UsageError);
  EXPECT_THROW(engine->Read(State::kGradient, "conv1.bias", bias), UsageError);
  EXPECT_THROW(engine->Write(State::kFirstMoment, "conv1.bias", bias),
               UsageError);
}

TEST_P(EngineTest, PreprocessIsScaledAndNormalised) {
  spec_.input = {.mean = {0.4F, 0.5F, 0.6F}, .std = {0.25F, 0.5F, 0.2F}};
  const std::unique_ptr<Engine> engine = Make();
  std::vector<float> input(kImages * 3072);
  engine->Preprocess(batch_, input);
  for (size_t i = 0; i < input.size(); ++i) {
    const size_t c = i / 1024 % 3;
    const float x = static_cast<float>(pixels_[i]) / 255.0F;
    ASSERT_EQ(input[i], (x - spec_.input.mean[c]) / spec_.input.std[c]) << i;
  }
}

// Enlarged, into blocks of pixels and not; shrunk; from lines that are too long
// to be kept.
TEST_P(EngineTest, ResizesAsTheReferenceDoes) {
  using testing_support::Conv;
  const Conv2dSpec blocks = Conv(3, 8, {11, 11}, {4, 4}, {1, 1, 1, 1});
  const Conv2dSpec plain = Conv(3, 8, {5, 5});
  struct Case {
    Shape3 source, input;
    Conv2dSpec conv;
  };
  for (const auto& [source, input, conv] :
       {Case{{3, 9, 7}, {3, 39, 39}, blocks},
        Case{{3, 9, 7}, {3, 39, 39}, plain},
        Case{{3, 50, 61}, {3, 24, 20}, plain},
        Case{{3, 4500, 5}, {3, 24, 39}, blocks}}) {
    spec_.model = testing_support::Net(input, {conv, ReluSpec{}});
    spec_.source = source;
    pixels_ = testing_support::Images(0, kImages, 1);
    pixels_.resize(static_cast<size_t>(kImages * source.elements()));
    for (size_t i = 0; i < pixels_.size(); ++i) {
      pixels_[i] = static_cast<uint8_t>(testing_support::Hash(3, i));
    }
    batch_.images = {pixels_, source};
    const auto run = [&](Device device, std::vector<float>& values,
                         std::vector<float>& logits) {
      spec_.device = device;
      const std::unique_ptr<Engine> engine = Make();
      values.resize(static_cast<size_t>(kImages * input.elements()));
      logits.resize(static_cast<size_t>(kImages * spec_.model.classes));
      engine->Preprocess(batch_, values);
      engine->Infer(batch_, logits);
    };
    std::vector<float> ours, expected, logits, expected_logits;
    run(GetParam(), ours, logits);
    run(Device::kReference, expected, expected_logits);
    EXPECT_EQ(ours, expected) << source.height << " to " << input.height;
    EXPECT_LE(testing_support::RelativeError(logits, expected_logits), 1e-5);
  }
}

TEST_P(EngineTest, SameStepsSameBits) {
  const std::unique_ptr<Engine> a = Make();
  UsePlanOf(*a);
  const std::unique_ptr<Engine> b = Make();
  for (int64_t step = 1; step <= 3; ++step) {
    EXPECT_EQ(Step(*a, step).loss, Step(*b, step).loss);
  }
  for (const ParameterInfo& info : Parameters(spec_.model)) {
    EXPECT_EQ(Get(*a, State::kParameter, info.name),
              Get(*b, State::kParameter, info.name));
  }
}

// The state that crosses the waist is all there is.
TEST_P(EngineTest, ACopiedStateGoesOnTheSame) {
  spec_.model = MakePreset("lenet5");
  spec_.model.layers.insert(spec_.model.layers.end() - 1,
                            {"drop", DropoutSpec{0.5}});
  const std::unique_ptr<Engine> a = Make();
  for (int64_t step = 1; step <= 2; ++step) Step(*a, step);
  spec_.kernel_plan = a->kernel_plan();
  const std::unique_ptr<Engine> b = Make();
  for (const ParameterInfo& info : Parameters(spec_.model)) {
    for (const State state :
         {State::kParameter, State::kFirstMoment, State::kSecondMoment}) {
      b->Write(state, info.name, Get(*a, state, info.name));
    }
  }
  for (int64_t step = 3; step <= 4; ++step) {
    EXPECT_EQ(Step(*a, step, 1).loss, Step(*b, step, 1).loss);
  }
  for (const ParameterInfo& info : Parameters(spec_.model)) {
    EXPECT_EQ(Get(*a, State::kParameter, info.name),
              Get(*b, State::kParameter, info.name));
  }
}

TEST_P(EngineTest, AnyNumberOfImagesUpToTheBatch) {
  const std::unique_ptr<Engine> engine = Make();
  std::vector<float> all(kImages * 10);
  engine->Infer(batch_, all);
  const std::vector<float> one = Logits(*engine);
  EXPECT_LE(testing_support::RelativeError(std::span(all).first(10), one),
            1e-6);
  batch_.images.pixels = batch_.images.pixels.first(2 * 3072);
  batch_.labels = batch_.labels.first(2);
  const StepResult result = Step(*engine);
  EXPECT_EQ(result.images, 2);
  EXPECT_TRUE(std::isfinite(result.loss));
}

TEST_P(EngineTest, StagedImagesAreTheSameImages) {
  const std::unique_ptr<Engine> a = Make();
  UsePlanOf(*a);
  const std::unique_ptr<Engine> b = Make();
  const std::vector<int64_t> order = {0, 1, 2, 3, 4};
  Batch staged;
  staged.staged = b->Stage(batch_.images);
  staged.indices = order;
  staged.labels = labels_;
  EXPECT_EQ(Step(*a).loss, b->Wait(b->TrainStep(staged, {})).loss);
  EXPECT_EQ(Get(*a, State::kParameter, "fc3.weight"),
            Get(*b, State::kParameter, "fc3.weight"));
}

TEST_P(EngineTest, ClassesAreCertainProbabilities) {
  const std::unique_ptr<Engine> a = Make();
  const std::unique_ptr<Engine> b = Make();
  const StepResult by_class = Step(*a);
  std::vector<float> certain(kImages * 10);
  for (size_t i = 0; i < labels_.size(); ++i) {
    certain[i * 10 + static_cast<size_t>(labels_[i])] = 1;
  }
  batch_.labels = {};
  batch_.label_probabilities = certain;
  const StepResult by_probability = Step(*b);
  EXPECT_NEAR(by_class.loss, by_probability.loss, 1e-6);
  EXPECT_EQ(by_class.correct, by_probability.correct);
}

TEST_P(EngineTest, OfEqualLogitsTheFirstIsTheAnswer) {
  for (const int64_t classes : {10, 300}) {
    spec_.model = testing_support::Net({3, 32, 32}, {FlattenSpec{}}, classes);
    const std::unique_ptr<Engine> engine = MakeEngine(spec_);
    std::vector<float> bias(static_cast<size_t>(classes));
    bias[3] = bias[7] = bias.back() = 1;
    engine->Write(State::kParameter, "last.bias", bias);
    EXPECT_EQ(Step(*engine).correct, 1) << classes;  // that with label 3
  }
}

TEST_P(EngineTest, NonFiniteLossTouchesNothing) {
  const std::unique_ptr<Engine> engine = Make();
  std::vector<float> bias = Get(*engine, State::kParameter, "fc3.bias");
  bias[4] = std::numeric_limits<float>::infinity();
  engine->Write(State::kParameter, "fc3.bias", bias);
  const std::vector<float> before =
      Get(*engine, State::kParameter, "conv1.weight");
  const StepResult result = Step(*engine);
  ASSERT_TRUE(result.non_finite);
  EXPECT_THAT(result.non_finite->where,
              ::testing::AnyOf("loss", "output of fc3"));
  EXPECT_EQ(Get(*engine, State::kParameter, "conv1.weight"), before);
  EXPECT_EQ(Get(*engine, State::kParameter, "fc3.bias"), bias);
  EXPECT_THAT(Get(*engine, State::kSecondMoment, "conv1.weight"),
              ::testing::Each(0.0F));
}

// None of them counts a NaN as less than something, together or alone.
TEST_P(EngineTest, ANaNComesThroughReluAndPooling) {
  const LayerOp conv = testing_support::Conv(3, 16, {2, 2});
  const LayerOp pool = MaxPool2dSpec{.kernel = {3, 3}, .stride = {2, 2}};
  const std::vector<std::vector<LayerOp>> networks = {
      {conv, ReluSpec{}, pool}, {conv, ReluSpec{}}, {conv, pool}};
  spec_.source = {3, 12, 10};
  pixels_ = testing_support::Images(0, kImages, 11);
  pixels_.resize(kImages * 360);
  batch_.images = {pixels_, spec_.source};
  for (const std::vector<LayerOp>& layers : networks) {
    SCOPED_TRACE(layers.size());
    spec_.model = testing_support::Net(spec_.source, layers, kImages);
    const std::unique_ptr<Engine> engine = Make();
    std::vector<float> weights = Get(*engine, State::kParameter, "0.weight");
    weights[7] = std::numeric_limits<float>::quiet_NaN();
    engine->Write(State::kParameter, "0.weight", weights);
    const std::vector<float> last =
        Get(*engine, State::kParameter, "last.weight");
    EXPECT_TRUE(Step(*engine).non_finite);
    EXPECT_EQ(Get(*engine, State::kParameter, "last.weight"), last);
  }
}

// Huge weights behind a layer of tiny ones: the logits and the loss stay
// finite, but the gradient that passes back overflows.
TEST_P(EngineTest, NonFiniteGradientIsNamedAndTouchesNothing) {
  spec_.model = testing_support::Net(
      {3, 2, 2}, {FlattenSpec{}, LinearSpec{12, 4}, LinearSpec{4, 4}}, 2);
  spec_.source = spec_.model.input;
  pixels_.assign(kImages * 12, 255);
  batch_.images = {pixels_, spec_.source};
  labels_ = {0, 1, 0, 1, 0};
  const std::unique_ptr<Engine> engine = MakeEngine(spec_);
  engine->Write(State::kParameter, "2.weight", std::vector<float>(16, 3e38F));
  std::vector<float> last(8, 3e38F);
  std::fill(last.begin() + 4, last.end(), -3e38F);
  engine->Write(State::kParameter, "last.weight", last);
  const StepResult result = Step(*engine);
  EXPECT_TRUE(std::isfinite(result.loss));
  ASSERT_TRUE(result.non_finite);
  EXPECT_THAT(result.non_finite->where, ::testing::AnyOf("1.weight", "1.bias"));
  EXPECT_EQ(Get(*engine, State::kParameter, "last.weight"), last);
  EXPECT_THAT(Get(*engine, State::kParameter, "last.bias"),
              ::testing::Each(0.0F));
}

TEST_P(EngineTest, TicketsAreKeptFor64Steps) {
  const std::unique_ptr<Engine> engine = Make();
  EXPECT_THROW(engine->Wait({-1}), UsageError);
  EXPECT_THROW(engine->Wait({0}), UsageError);
  const Ticket first = engine->TrainStep(batch_, {.step = 1});
  const double loss = engine->Wait(first).loss;
  for (int64_t step = 2; step <= 64; ++step) {
    engine->TrainStep(batch_, {.step = step});
  }
  EXPECT_EQ(engine->Wait(first).loss, loss);
  engine->TrainStep(batch_, {.step = 65});
  EXPECT_THROW(engine->Wait(first), UsageError);
}

TEST_P(EngineTest, TrainingLowersTheLoss) {
  const std::unique_ptr<Engine> engine = Make();
  const double first = Step(*engine).loss;
  double last = 0;
  for (int64_t step = 2; step <= 40; ++step) last = Step(*engine, step).loss;
  EXPECT_LT(last, 0.2 * first);
}

// Element e is kept if its Philox word says so, whatever the layout, the batch
// or the place in it: seen in the last layer's weight gradient of one image,
// which is zero where the input is.
TEST_P(EngineTest, DropoutMaskIsThatOfTheCounter) {
  UseDropoutOnly();
  const std::unique_ptr<Engine> engine = MakeEngine(spec_);
  const std::vector<int64_t> ids = {42};
  batch_.images.pixels = batch_.images.pixels.first(60);
  batch_.labels = batch_.labels.first(1);
  batch_.sample_ids = ids;
  engine->TrainStep(batch_, {.step = 1, .epoch = 7});
  const std::vector<float> gradient =
      Get(*engine, State::kGradient, "last.weight");
  int64_t dropped = 0;
  for (int64_t e = 0; e < 60; ++e) {
    const Philox4 words = Philox(DropoutCounter(e, 1, 42, 7), 11);
    const bool keep =
        words[static_cast<size_t>(e % 4)] >= DropoutThreshold(0.5);
    // Input 1, doubled; softmax of equal logits − one.
    const float expected = keep ? 2 * (1 / 60.0F - 1) : 0;
    EXPECT_NEAR(gradient[static_cast<size_t>(e)], expected, 1e-6) << e;
    dropped += !keep;
  }
  EXPECT_GT(dropped, 10);
  EXPECT_LT(dropped, 50);
}

TEST_P(EngineTest, DropoutIsOffInInference) {
  UseDropoutOnly();
  const std::unique_ptr<Engine> engine = MakeEngine(spec_);
  std::vector<float> identity(3600);
  for (size_t i = 0; i < 60; ++i) identity[i * 61] = 1;
  engine->Write(State::kParameter, "last.weight", identity);
  std::vector<float> logits(kImages * 60);
  engine->Infer(batch_, logits);
  EXPECT_THAT(logits, ::testing::Each(1.0F));
}

TEST_P(EngineTest, MemoryIsPlanned) {
  const int64_t parameters = ParameterCount(spec_.model) * 4;
  int64_t total = 0;
  for (const MemoryUse& use : Make()->Memory()) {
    EXPECT_FALSE(use.purpose.empty());
    EXPECT_GE(use.bytes, 0);
    total += use.bytes;
  }
  EXPECT_GE(total, 3 * parameters);
}

INSTANTIATE_TEST_SUITE_P(
    , EngineTest, ::testing::ValuesIn(testing_support::AvailableDevices()),
    [](const auto& info) { return std::string(Name(info.param)); });

TEST(MakeEngine, AutoIsResolved) {
  EngineSpec spec;
  spec.model = MakePreset("lenet5");
  spec.source = {3, 32, 32};
  const Device device = MakeEngine(spec)->spec().device;
  EXPECT_EQ(device, testing_support::AvailableDevices().back());
}

TEST(MakeEngine, SaysWhyThereIsNoGpu) {
  if (HasCudaEngine()) GTEST_SKIP() << "there is a GPU";
  EngineSpec spec;
  spec.model = MakePreset("lenet5");
  spec.source = {3, 32, 32};
  spec.device = Device::kCuda;
  EXPECT_THAT([&] { MakeEngine(spec); },
              ThrowsMessage<Error>(HasSubstr("use --device cpu")));
}

TEST(Names, OfDevicesAndPrecisions) {
  for (const Device device :
       {Device::kAuto, Device::kCpu, Device::kReference, Device::kCuda}) {
    EXPECT_EQ(ParseDevice(Name(device)), device);
  }
  EXPECT_EQ(ParsePrecision(Name(Precision::kFloat32)), Precision::kFloat32);
  EXPECT_THAT([] { ParseDevice("gpu"); },
              ThrowsMessage<UsageError>(HasSubstr("auto cpu reference cuda")));
  EXPECT_THROW(ParsePrecision("fp8"), UsageError);
}

}  // namespace
}  // namespace alexnet
