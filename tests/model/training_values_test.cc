// SPDX-License-Identifier: MIT
// Normal initial values, multipliers, frozen layers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>

#include "alexnet/error.h"
#include "alexnet/model.h"
#include "core/philox.h"

namespace alexnet {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using Tensors = std::map<std::string, std::vector<float>>;

Tensors Initial(const ModelSpec& model, uint64_t seed) {
  Tensors all;
  InitialParameters(model, seed, [&](const ParameterInfo& info, auto values) {
    all[info.name].assign(values.begin(), values.end());
  });
  return all;
}

// Moments of n normal values scatter by a few/√n.
void ExpectNormal(const std::vector<float>& values, double std) {
  double moments[4] = {};
  for (const float value : values) {
    const double z = double{value} / std;
    for (int i = 0; i < 4; ++i) moments[i] += std::pow(z, i + 1);
  }
  const auto n = static_cast<double>(values.size());
  const double sigma = 5 / std::sqrt(n);
  EXPECT_NEAR(moments[0] / n, 0, sigma);
  EXPECT_NEAR(moments[1] / n, 1, sigma * std::sqrt(2.0));
  EXPECT_NEAR(moments[2] / n, 0, sigma * std::sqrt(15.0));
  EXPECT_NEAR(moments[3] / n, 3, sigma * std::sqrt(96.0));
}

TEST(NormalInit, HasTheMomentsAndTheBiases) {
  ModelSpec model = MakePreset("cifar-small");
  const Tensors he = Initial(model, 1);
  ExpectNormal(he.at("features.3.weight"), std::sqrt(2.0 / (64 * 25)));
  EXPECT_THAT(he.at("features.3.bias"), Each(0.0F));
  ExpectNormal(he.at("classifier.4.weight"), std::sqrt(2.0 / 1024));
  ExpectNormal(he.at("classifier.6.weight"), 0.01);
  SetInit(model, {.kind = InitKind::kNormal, .std = 0.01, .bias = 0.5});
  const Tensors normal = Initial(model, 1);
  ExpectNormal(normal.at("features.6.weight"), 0.01);
  ExpectNormal(normal.at("classifier.1.weight"), 0.01);
  EXPECT_THAT(normal.at("classifier.6.bias"), Each(0.5F));
}

// Whatever the number of threads: each value of the formula, parts of a layer
// that is drawn by several among them.
TEST(NormalInit, AValueDependsOnItsNumberAlone) {
  ModelSpec model = MakePreset("cifar-small");
  constexpr double kStd = 0.02;
  SetInit(model, {.kind = InitKind::kNormal, .std = kStd});
  const std::vector<ParameterInfo> infos = Parameters(model);
  constexpr size_t kParameter = 10;
  ASSERT_EQ(infos[kParameter].name, "classifier.1.weight");
  const std::vector<float> values =
      Initial(model, 9).at(infos[kParameter].name);
  ASSERT_GT(values.size(), size_t{1} << 20);
  const auto unit = [](uint32_t word) { return (word + 0.5) / 4294967296.0; };
  for (size_t i = 0; i < values.size(); ++i) {
    const Philox4 words =
        Philox({static_cast<uint32_t>(i / 4), kParameter, 0, 0xFFFFFFFF}, 9);
    const size_t pair = i % 4 / 2 * 2;
    const double angle = 2 * std::numbers::pi * unit(words[pair + 1]);
    const double expected = kStd * std::sqrt(-2 * std::log(unit(words[pair]))) *
                            (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
    ASSERT_FLOAT_EQ(values[i], static_cast<float>(expected)) << i;
  }
}

TEST(NormalInit, DependsOnTheSeedAndTheParameterAlone) {
  const ModelSpec model = MakePreset("cifar-small");
  EXPECT_EQ(Initial(model, 7), Initial(model, 7));
  EXPECT_NE(Initial(model, 7).at("features.0.weight"),
            Initial(model, 8).at("features.0.weight"));
  const Tensors all = Initial(model, 7);
  EXPECT_NE(all.at("features.0.weight")[0], all.at("features.3.weight")[0]);
  // A layer that begins otherwise changes no other.
  ModelSpec other = model;
  other.layers[0].init = {};
  EXPECT_EQ(Initial(other, 7).at("features.3.weight"),
            all.at("features.3.weight"));
}

TEST(NormalInit, IsToldInWords) {
  EXPECT_EQ(Text(InitSpec{}), "U(±1/√fan_in)");
  EXPECT_EQ(Text(InitSpec{InitKind::kNormal, 0.01, 1}), "N(0, 0.01), bias 1");
  EXPECT_EQ(Text(InitSpec{InitKind::kHe}), "N(0, √(2/fan_in)), bias 0");
}

TEST(Presets, BeginAsTheirReferencesSay) {
  const auto init = [](const std::string& arch, const std::string& layer) {
    const ModelSpec model = MakePreset(arch);
    for (const LayerSpec& spec : model.layers) {
      if (spec.name == layer) return spec.init;
    }
    throw std::logic_error(layer);
  };
  constexpr auto kNormal = InitKind::kNormal;
  const auto is = [&](double std, double bias) {
    return InitSpec{kNormal, std, bias};
  };
  EXPECT_EQ(init("alexnet2012", "conv1"), is(0.01, 0));
  EXPECT_EQ(init("alexnet2012", "conv5"), is(0.01, 1));
  EXPECT_EQ(init("alexnet2012", "fc6"), is(0.01, 1));
  EXPECT_EQ(init("alexnet2012", "fc8"), is(0.01, 0));
  EXPECT_EQ(init("alexnet2012-source", "conv3"), is(0.03, 0));
  EXPECT_EQ(init("alexnet2012-source", "conv5"), is(0.03, 1));
  EXPECT_EQ(init("caffe-alexnet", "fc7"), is(0.005, 0.1));
  EXPECT_EQ(init("caffe-alexnet", "conv3"), is(0.01, 0));
  EXPECT_EQ(init("caffenet", "conv2"), is(0.01, 1));
  EXPECT_EQ(init("torchvision", "features.0"), InitSpec{});
  EXPECT_EQ(init("note", "features.0"), InitSpec{});
}

TEST(Multipliers, AreOfWeightsAndBiases) {
  for (const std::string arch :
       {"alexnet2012-source", "caffe-alexnet", "caffenet", "note"}) {
    for (const ParameterInfo& info : Parameters(MakePreset(arch))) {
      const bool special = info.bias && arch != "note";
      EXPECT_EQ(info.lr_multiplier, special ? 2 : 1) << info.name;
      EXPECT_EQ(info.decay_multiplier, special ? 0 : 1) << info.name;
    }
  }
}

TEST(FreezeLayers, ByNameOrByWhatTheyAreIn) {
  ModelSpec model = MakePreset("torchvision");
  Freeze(model, std::vector<std::string>{"features", "classifier.1"});
  for (const ParameterInfo& info : Parameters(model)) {
    const bool frozen = info.name.starts_with("features.") ||
                        info.name.starts_with("classifier.1.");
    EXPECT_EQ(info.frozen, frozen) << info.name;
  }
  EXPECT_THAT([&] { Freeze(model, std::vector<std::string>{"feature"}); },
              ThrowsMessage<UsageError>(HasSubstr("no layer 'feature'")));
  EXPECT_THAT([&] { Freeze(model, std::vector<std::string>{"features.1"}); },
              ThrowsMessage<UsageError>(
                  HasSubstr("no parameters in layer 'features.1'")));
}

}  // namespace
}  // namespace alexnet
