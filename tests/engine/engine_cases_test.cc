// SPDX-License-Identifier: MIT
// Every engine against the naive network in double, on the one list of cases:
// logits, loss, all gradients.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <tuple>

#include "alexnet/engine.h"
#include "alexnet/error.h"
#include "core/isa.h"
#include "engine/hashed_values.h"
#include "engine/loss.h"
#include "engine/op_cases.h"
#include "engine/reference/reference_network.h"
#include "engine/relative_error.h"

namespace alexnet {
namespace {

using testing_support::AvailableDevices;
using testing_support::Hash;
using testing_support::OpCase;
using testing_support::OpCases;
using testing_support::RelativeError;
using testing_support::Values;

// float32 rounding of sums of some thousand terms, relative to the norm.
constexpr double kTolerance = 1e-5;
constexpr int64_t kEpoch = 3;

// Where ctest runs tests again with a given instruction set: the best has had
// them all.
class IsaBelowTheBest : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* isa = std::getenv("ALEXNET_ISA");
    if (std::getenv("ALEXNET_TEST_ISA_BELOW_BEST") != nullptr &&
        isa != nullptr && isa == Name(SupportedIsas().back())) {
      GTEST_SKIP() << "this machine supports nothing better";
    }
  }
};
const auto* const kIsaBelowTheBest =
    ::testing::AddGlobalTestEnvironment(new IsaBelowTheBest);

class EngineCases
    : public ::testing::TestWithParam<std::tuple<Device, OpCase>> {
 protected:
  EngineCases() {
    const auto& [device, op_case] = GetParam();
    spec_.model = op_case.model;
    spec_.source = op_case.model.input;
    spec_.batch_size = op_case.images;
    spec_.device = device;
    spec_.algorithms = Algorithms::kExact;
    spec_.threads = 2;
    spec_.seed = 5;
    const int64_t bytes = op_case.images * spec_.source.elements();
    for (int64_t i = 0; i < bytes; ++i) {
      pixels_.push_back(
          static_cast<uint8_t>(Hash(1, static_cast<uint64_t>(i))));
    }
    for (int64_t i = 0; i < op_case.images; ++i) {
      labels_.push_back(static_cast<int32_t>(i % op_case.model.classes));
      sample_ids_.push_back(17 + 3 * i);
    }
    batch_.images = {pixels_, spec_.source};
    batch_.labels = labels_;
    batch_.sample_ids = sample_ids_;
  }

  // An engine with arbitrary parameters, of the size that PyTorch gives them.
  std::unique_ptr<Engine> Make() {
    std::unique_ptr<Engine> engine = MakeEngine(spec_);
    uint64_t seed = 100;
    for (const ParameterInfo& info : Parameters(spec_.model)) {
      std::vector<float> values =
          Values(seed++, static_cast<size_t>(info.elements));
      for (float& value : values) {
        value /= std::sqrt(static_cast<float>(info.fan_in));
      }
      engine->Write(State::kParameter, info.name, values);
    }
    return engine;
  }

  // The same network in double, with the engine's input and parameters.
  ReferenceNetwork<double> Oracle(Engine& engine) {
    const int64_t images = spec_.batch_size;
    ReferenceNetwork<double> net(spec_.model, {.max_images = images});
    const auto size = static_cast<size_t>(spec_.model.input.elements());
    std::vector<float> input(size * static_cast<size_t>(images));
    engine.Preprocess(batch_, input);
    for (int64_t n = 0; n < images; ++n) {
      std::copy_n(input.begin() + n * static_cast<int64_t>(size), size,
                  net.input(n).begin());
    }
    for (size_t i = 0; i < net.parameters().size(); ++i) {
      std::vector<float> values(net.parameter(i).size());
      engine.Read(State::kParameter, net.parameters()[i].name, values);
      std::copy(values.begin(), values.end(), net.parameter(i).begin());
    }
    return net;
  }

  double OracleLoss(ReferenceNetwork<double>& net) {
    const auto images = static_cast<double>(spec_.batch_size);
    double loss = 0;
    for (int64_t n = 0; n < spec_.batch_size; ++n) {
      loss += SoftmaxCrossEntropy(net.logits_gradient(n), net.logits(n),
                                  labels_[static_cast<size_t>(n)], 1 / images);
    }
    return loss / images;
  }

  // Of a step with dropout, against the oracle; errors relative to the norm.
  void ExpectLossAndGradients(double loss_tolerance,
                              double gradient_tolerance) {
    const std::unique_ptr<Engine> engine = Make();
    ReferenceNetwork<double> net = Oracle(*engine);
    const DropoutKeys dropout = {spec_.seed, kEpoch, sample_ids_};
    net.Forward(spec_.batch_size, &dropout);
    const double loss = OracleLoss(net);
    net.Backward(spec_.batch_size, &dropout);
    const StepResult result =
        engine->Wait(engine->TrainStep(batch_, {.step = 1, .epoch = kEpoch}));
    EXPECT_FALSE(result.non_finite);
    EXPECT_NEAR(result.loss, loss, loss_tolerance * loss);
    for (size_t i = 0; i < net.parameters().size(); ++i) {
      const std::string& name = net.parameters()[i].name;
      std::vector<float> gradient(net.gradient(i).size());
      engine->Read(State::kGradient, name, gradient);
      EXPECT_LE(RelativeError(gradient, net.gradient(i)), gradient_tolerance)
          << name;
    }
  }

  EngineSpec spec_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_;
  std::vector<int64_t> sample_ids_;
  Batch batch_;
};

TEST_P(EngineCases, LogitsAgree) {
  const std::unique_ptr<Engine> engine = Make();
  ReferenceNetwork<double> net = Oracle(*engine);
  net.Forward(spec_.batch_size, nullptr);
  const auto classes = static_cast<size_t>(spec_.model.classes);
  std::vector<float> logits(classes * static_cast<size_t>(spec_.batch_size));
  engine->Infer(batch_, logits);
  for (int64_t n = 0; n < spec_.batch_size; ++n) {
    const auto row =
        std::span(logits).subspan(static_cast<size_t>(n) * classes, classes);
    EXPECT_LE(RelativeError(row, net.logits(n)), kTolerance) << "image " << n;
  }
}

TEST_P(EngineCases, LossAndGradientsAgree) {
  ExpectLossAndGradients(kTolerance, kTolerance);
}

// One image at a time: another sum, the same gradients.
TEST_P(EngineCases, SlicesSumToTheWhole) {
  const std::unique_ptr<Engine> whole = Make();
  spec_.slice_size = 1;
  const std::unique_ptr<Engine> sliced = Make();
  const StepParams step = {.step = 1, .epoch = kEpoch};
  const StepResult a = whole->Wait(whole->TrainStep(batch_, step));
  const StepResult b = sliced->Wait(sliced->TrainStep(batch_, step));
  EXPECT_NEAR(a.loss, b.loss, kTolerance * a.loss);
  EXPECT_EQ(a.correct, b.correct);
  for (const ParameterInfo& info : Parameters(spec_.model)) {
    std::vector<float> x(static_cast<size_t>(info.elements));
    std::vector<float> y(x.size());
    whole->Read(State::kGradient, info.name, x);
    sliced->Read(State::kGradient, info.name, y);
    EXPECT_LE(RelativeError(y, x), kTolerance) << info.name;
  }
}

// Of the loss, and of gradients where nothing has a kink.
constexpr double kBfloat16Tolerance = 2e-2;

// On the CPU maps, and what linear layers multiply, are rounded to 2⁻⁹ in every
// layer; on a GPU weights and the linear layers' gradients as well, which is
// twice as many roundings. Where rounding changes a sign before a ReLU or the
// winner of a pooling, whole terms of these small sums move; a wrong mask or
// layout is off by the norm.
double Bfloat16GradientTolerance(Device device, bool kinks) {
  if (device == Device::kCuda) return kinks ? 0.5 : 2 * kBfloat16Tolerance;
  return kinks ? 0.3 : kBfloat16Tolerance;
}

bool HasKinks(const ModelSpec& model) {
  return std::any_of(model.layers.begin(), model.layers.end(),
                     [](const LayerSpec& layer) {
                       return std::holds_alternative<ReluSpec>(layer.op) ||
                              std::holds_alternative<MaxPool2dSpec>(layer.op);
                     });
}

class Bfloat16Cases : public EngineCases {
 protected:
  void SetUp() override {
    if (std::get<0>(GetParam()) == Device::kCpu &&
        SelectedIsa() < Isa::kAvx512Bf16) {
      GTEST_SKIP() << "this processor has no bfloat16";
    }
    spec_.precision = Precision::kBfloat16;
  }
};

TEST_P(Bfloat16Cases, LossAndGradientsAgree) {
  const double tolerance =
      Bfloat16GradientTolerance(spec_.device, HasKinks(spec_.model));
  for (const Algorithms algorithms : {Algorithms::kExact, Algorithms::kFast}) {
    spec_.algorithms = algorithms;
    SCOPED_TRACE(Name(algorithms));
    ExpectLossAndGradients(kBfloat16Tolerance, tolerance);
  }
}

TEST_P(Bfloat16Cases, SameSeedSameBits) {
  std::vector<std::vector<float>> weights;
  for (int run = 0; run < 2; ++run) {
    const std::unique_ptr<Engine> engine = Make();
    spec_.kernel_plan = engine->kernel_plan();
    for (int64_t step = 1; step <= 3; ++step) {
      engine->Wait(engine->TrainStep(batch_, {.step = step, .epoch = kEpoch}));
    }
    for (const ParameterInfo& info : Parameters(spec_.model)) {
      weights.emplace_back(static_cast<size_t>(info.elements));
      engine->Read(State::kParameter, info.name, weights.back());
    }
  }
  const size_t half = weights.size() / 2;
  for (size_t i = 0; i < half; ++i) EXPECT_EQ(weights[i], weights[half + i]);
}

// An engine for inference keeps its weights in bfloat16.
TEST_P(Bfloat16Cases, InferenceAgreesWithTraining) {
  const std::unique_ptr<Engine> trains = Make();
  spec_.training = false;
  const std::unique_ptr<Engine> infers = Make();
  const auto values =
      static_cast<size_t>(spec_.model.classes * spec_.batch_size);
  std::vector<float> expected(values);
  std::vector<float> logits(values);
  trains->Infer(batch_, expected);
  infers->Infer(batch_, logits);
  EXPECT_LE(RelativeError(logits, std::span<const float>(expected)), 1e-2);
}

std::string NameOf(
    const ::testing::TestParamInfo<EngineCases::ParamType>& info) {
  const auto& [device, op_case] = info.param;
  return Concat(Name(device), "_", op_case.name);
}

std::vector<Device> DevicesWithBfloat16() {
  std::vector<Device> devices = AvailableDevices();
  std::erase(devices, Device::kReference);
  return devices;
}

INSTANTIATE_TEST_SUITE_P(
    , Bfloat16Cases,
    ::testing::Combine(::testing::ValuesIn(DevicesWithBfloat16()),
                       ::testing::ValuesIn(OpCases())),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    , EngineCases,
    ::testing::Combine(::testing::ValuesIn(AvailableDevices()),
                       ::testing::ValuesIn(OpCases())),
    NameOf);

}  // namespace
}  // namespace alexnet
