// SPDX-License-Identifier: MIT
// Whole networks with PyTorch's weights for a seed, against PyTorch: logits,
// loss, every gradient, and, of some, the losses of ten training steps.
#include <gtest/gtest.h>

#include <numeric>
#include <tuple>

#include "alexnet/engine.h"
#include "engine/golden.h"
#include "engine/hashed_values.h"
#include "engine/op_cases.h"
#include "engine/relative_error.h"

namespace alexnet {
namespace {

constexpr double kTolerance = 1e-5;          // of the norm
constexpr double kTrainingTolerance = 1e-4;  // of each loss
constexpr int64_t kImages = 4;

struct Job {
  Device device;
  std::string arch;
};

// The naive loops would take minutes for any but the smallest.
std::vector<Job> Jobs(const std::vector<std::string>& archs) {
  std::vector<Job> jobs;
  for (const Device device : testing_support::AvailableDevices()) {
    for (const std::string& arch : archs) {
      if (device == Device::kReference && arch != "lenet5") continue;
      jobs.push_back({device, arch});
    }
  }
  return jobs;
}

std::string JobName(const testing::TestParamInfo<Job>& info) {
  std::string name(Name(info.param.device));
  for (const char c : "_" + info.param.arch) name += c == '-' ? '_' : c;
  return name;
}

class NetworkGolden : public ::testing::TestWithParam<Job> {
 protected:
  NetworkGolden() : golden_(testing_support::LoadGolden(GetParam().arch)) {
    EngineSpec spec;
    spec.model = MakePreset(GetParam().arch, {.dropout = 0});
    // The one whose values PyTorch knows, whatever the network's own.
    SetInit(spec.model, {});
    spec.source = spec.model.input;
    spec.batch_size = kImages;
    spec.device = GetParam().device;
    spec.algorithms = Algorithms::kExact;
    engine_ = MakeEngine(spec);
    first_ = golden_["first_image"];
    Initialize(*engine_, 0);
  }

  // Four images from number `first`; their classes go round.
  Batch MakeBatch(int64_t first) {
    const Shape3& source = engine_->spec().source;
    pixels_ = testing_support::Images(first, kImages, source.height);
    labels_.clear();
    for (int64_t n = first; n < first + kImages; ++n) {
      labels_.push_back(static_cast<int32_t>(n % 10));
    }
    Batch batch;
    batch.images = {pixels_, source};
    batch.labels = labels_;
    return batch;
  }

  nlohmann::json golden_;
  int64_t first_ = 0;
  std::unique_ptr<Engine> engine_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_;
};

TEST_P(NetworkGolden, Logits) {
  std::vector<float> logits(kImages * 10);
  engine_->Infer(MakeBatch(first_), logits);
  const std::vector<double> expected = golden_["logits"];
  const double error = testing_support::RelativeError(logits, expected);
  RecordProperty("error", std::to_string(error));
  EXPECT_LE(error, kTolerance);
}

TEST_P(NetworkGolden, LossAndGradients) {
  const StepResult result =
      engine_->Wait(engine_->TrainStep(MakeBatch(first_), {}));
  const double loss = golden_["loss"];
  EXPECT_NEAR(result.loss, loss, kTolerance * loss);
  for (const ParameterInfo& info : Parameters(engine_->spec().model)) {
    std::vector<float> gradient(static_cast<size_t>(info.elements));
    engine_->Read(State::kGradient, info.name, gradient);
    const testing_support::Distance distance =
        testing_support::Compare(gradient, golden_["gradients"][info.name]);
    EXPECT_LE(distance.norm, kTolerance) << info.name;
    EXPECT_LE(distance.projections, kTolerance) << info.name;
    EXPECT_LE(distance.samples, kTolerance) << info.name;
  }
}

class NetworkTraining : public NetworkGolden {};

TEST_P(NetworkTraining, TenTrainingLosses) {
  const std::vector<double> expected = golden_["losses"];
  const double rate = golden_["learning_rate"];
  ASSERT_EQ(expected.size(), 10U);
  for (int64_t i = 0; i < 10; ++i) {
    const StepParams step = {.step = i + 1, .learning_rate = rate};
    const Ticket ticket = engine_->TrainStep(MakeBatch(kImages * i), step);
    const double loss = engine_->Wait(ticket).loss;
    const double golden = expected[static_cast<size_t>(i)];
    EXPECT_NEAR(loss, golden, kTrainingTolerance * golden) << "step " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(, NetworkGolden,
                         ::testing::ValuesIn(Jobs(PresetNames())), JobName);
INSTANTIATE_TEST_SUITE_P(
    , NetworkTraining,
    ::testing::ValuesIn(Jobs({"lenet5", "note", "cifar-small"})), JobName);

}  // namespace
}  // namespace alexnet
