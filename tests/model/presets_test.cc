// SPDX-License-Identifier: MIT
// The presets against figures worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alexnet/error.h"
#include "alexnet/model.h"

namespace alexnet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Expected {
  std::string name;
  std::string type;
  Shape3 output;
  int64_t parameters;
  int64_t macs;
};

void ExpectLayers(const ModelSpec& model,
                  const std::vector<Expected>& expected) {
  const std::vector<LayerInfo> layers = InferLayers(model);
  ASSERT_EQ(layers.size(), expected.size());
  Shape3 input = model.input;
  for (size_t i = 0; i < layers.size(); ++i) {
    SCOPED_TRACE(expected[i].name);
    EXPECT_EQ(layers[i].name, expected[i].name);
    EXPECT_EQ(layers[i].type, expected[i].type);
    EXPECT_EQ(layers[i].input, input);
    EXPECT_EQ(layers[i].output, expected[i].output);
    EXPECT_EQ(layers[i].parameters, expected[i].parameters);
    EXPECT_EQ(layers[i].macs, expected[i].macs);
    input = layers[i].output;
  }
}

int64_t Macs(const ModelSpec& model) {
  int64_t macs = 0;
  for (const LayerInfo& layer : InferLayers(model)) macs += layer.macs;
  return macs;
}

TEST(NotePreset, LayersAreThoseOfTheNote) {
  ExpectLayers(
      MakePreset("note"),
      {{"features.0", "Conv2d", {96, 55, 55}, 34'944, 105'415'200},
       {"features.1", "ReLU", {96, 55, 55}, 0, 0},
       {"features.2", "MaxPool2d", {96, 27, 27}, 0, 0},
       {"features.3", "Conv2d", {256, 27, 27}, 614'656, 447'897'600},
       {"features.4", "ReLU", {256, 27, 27}, 0, 0},
       {"features.5", "MaxPool2d", {256, 13, 13}, 0, 0},
       {"features.6", "Conv2d", {384, 13, 13}, 885'120, 149'520'384},
       {"features.7", "ReLU", {384, 13, 13}, 0, 0},
       {"features.8", "Conv2d", {384, 13, 13}, 1'327'488, 224'280'576},
       {"features.9", "ReLU", {384, 13, 13}, 0, 0},
       {"features.10", "Conv2d", {256, 13, 13}, 884'992, 149'520'384},
       {"features.11", "ReLU", {256, 13, 13}, 0, 0},
       {"features.12", "MaxPool2d", {256, 6, 6}, 0, 0},
       {"flatten", "Flatten", {9216, 1, 1}, 0, 0},
       {"classifier.0", "Dropout", {9216, 1, 1}, 0, 0},
       {"classifier.1", "Linear", {4096, 1, 1}, 37'752'832, 37'748'736},
       {"classifier.2", "ReLU", {4096, 1, 1}, 0, 0},
       {"classifier.3", "Dropout", {4096, 1, 1}, 0, 0},
       {"classifier.4", "Linear", {4096, 1, 1}, 16'781'312, 16'777'216},
       {"classifier.5", "ReLU", {4096, 1, 1}, 0, 0},
       {"classifier.6", "Linear", {10, 1, 1}, 40'970, 40'960}});
}

TEST(NotePreset, Totals) {
  EXPECT_EQ(ParameterCount(MakePreset("note")), 58'322'314);
  EXPECT_EQ(Macs(MakePreset("note")), 1'131'201'056);
  EXPECT_EQ(ParameterCount(MakePreset("note", {.classes = 100})),
            58'322'314 + 90 * 4097);
}

TEST(NotePreset, DropoutIsAnOption) {
  const ModelSpec model = MakePreset("note", {.dropout = 0.25});
  EXPECT_EQ(std::get<DropoutSpec>(model.layers[14].op).p, 0.25);
  EXPECT_EQ(std::get<DropoutSpec>(model.layers[17].op).p, 0.25);
}

TEST(Lenet5Preset, LayersAreThoseOfTheTutorials) {
  ExpectLayers(MakePreset("lenet5"),
               {{"conv1", "Conv2d", {6, 28, 28}, 456, 352'800},
                {"relu1", "ReLU", {6, 28, 28}, 0, 0},
                {"pool1", "MaxPool2d", {6, 14, 14}, 0, 0},
                {"conv2", "Conv2d", {16, 10, 10}, 2'416, 240'000},
                {"relu2", "ReLU", {16, 10, 10}, 0, 0},
                {"pool2", "MaxPool2d", {16, 5, 5}, 0, 0},
                {"flatten", "Flatten", {400, 1, 1}, 0, 0},
                {"fc1", "Linear", {120, 1, 1}, 48'120, 48'000},
                {"relu3", "ReLU", {120, 1, 1}, 0, 0},
                {"fc2", "Linear", {84, 1, 1}, 10'164, 10'080},
                {"relu4", "ReLU", {84, 1, 1}, 0, 0},
                {"fc3", "Linear", {10, 1, 1}, 850, 840}});
  EXPECT_EQ(ParameterCount(MakePreset("lenet5")), 62'006);
}

Shape3 OutputOf(const ModelSpec& model, const std::string& name) {
  for (const LayerInfo& layer : InferLayers(model)) {
    if (layer.name == name) return layer.output;
  }
  throw std::logic_error(name);
}

std::vector<std::string> Order(const std::string& arch) {
  std::vector<std::string> names;
  for (const LayerSpec& layer : MakePreset(arch).layers) {
    names.push_back(layer.name);
  }
  return names;
}

// The figures that are published for a thousand classes, and those for ten.
TEST(Presets, HaveTheKnownNumberOfParameters) {
  const std::vector<std::tuple<std::string, int64_t, int64_t>> expected = {
      {"alexnet2012", 60'965'224, 56'909'194},
      {"alexnet2012-source", 60'965'224, 56'909'194},
      {"caffe-alexnet", 60'965'224, 56'909'194},
      {"caffenet", 60'965'224, 56'909'194},
      {"torchvision", 61'100'840, 57'044'810},
      {"note", 62'378'344, 58'322'314}};
  for (const auto& [arch, thousand, ten] : expected) {
    EXPECT_EQ(ParameterCount(MakePreset(arch, {.classes = 1000})), thousand)
        << arch;
    EXPECT_EQ(ParameterCount(MakePreset(arch)), ten) << arch;
  }
  EXPECT_EQ(ParameterCount(MakePreset("cifar-small")), 5'871'434);
}

TEST(Presets, OfThe2012FamilyHaveThePapersShapes) {
  for (const std::string arch :
       {"alexnet2012", "alexnet2012-source", "caffe-alexnet", "caffenet"}) {
    SCOPED_TRACE(arch);
    const ModelSpec model = MakePreset(arch, {.classes = 1000});
    EXPECT_EQ(model.input.height, arch.starts_with("alexnet") ? 224 : 227);
    EXPECT_EQ(OutputOf(model, "conv1"), (Shape3{96, 55, 55}));
    EXPECT_EQ(OutputOf(model, "pool1"), (Shape3{96, 27, 27}));
    EXPECT_EQ(OutputOf(model, "conv2"), (Shape3{256, 27, 27}));
    EXPECT_EQ(OutputOf(model, "pool2"), (Shape3{256, 13, 13}));
    EXPECT_EQ(OutputOf(model, "conv4"), (Shape3{384, 13, 13}));
    EXPECT_EQ(OutputOf(model, "pool5"), (Shape3{256, 6, 6}));
    EXPECT_EQ(OutputOf(model, "fc7"), (Shape3{4096, 1, 1}));
    EXPECT_EQ(Macs(model), 724'406'816);
  }
  EXPECT_EQ(Macs(MakePreset("torchvision", {.classes = 1000})), 714'188'480);
}

TEST(Presets, NormaliseWhereTheirReferencesDo) {
  using ::testing::IsSupersetOf;
  const auto first = [](const std::string& arch, size_t count) {
    std::vector<std::string> names = Order(arch);
    names.resize(count);
    return names;
  };
  EXPECT_THAT(first("alexnet2012", 4),
              ElementsAre("conv1", "relu1", "norm1", "pool1"));
  EXPECT_THAT(first("alexnet2012-source", 9),
              ElementsAre("conv1", "norm1", "pool1", "relu1", "conv2", "relu2",
                          "norm2", "cnorm2", "pool2"));
  EXPECT_THAT(first("caffe-alexnet", 4),
              ElementsAre("conv1", "relu1", "norm1", "pool1"));
  EXPECT_THAT(first("caffenet", 4),
              ElementsAre("conv1", "relu1", "pool1", "norm1"));
  const auto k = [](const std::string& arch) {
    for (const LayerSpec& layer : MakePreset(arch).layers) {
      if (layer.name == "norm1") {
        return std::get<LocalResponseNormSpec>(layer.op).k;
      }
    }
    return 0.0;
  };
  EXPECT_EQ(k("alexnet2012"), 2);
  EXPECT_EQ(k("alexnet2012-source"), 2);
  EXPECT_EQ(k("caffe-alexnet"), 1);
  EXPECT_EQ(k("caffenet"), 1);
  EXPECT_THAT(Order("alexnet2012-source"), IsSupersetOf({"pool5", "relu5"}));
}

TEST(CifarSmallPreset, KeepsAlexNetsShapeOnSmallImages) {
  const ModelSpec model = MakePreset("cifar-small");
  EXPECT_EQ(OutputOf(model, "features.0"), (Shape3{64, 32, 32}));
  EXPECT_EQ(OutputOf(model, "features.2"), (Shape3{64, 15, 15}));
  EXPECT_EQ(OutputOf(model, "features.5"), (Shape3{192, 7, 7}));
  EXPECT_EQ(OutputOf(model, "features.12"), (Shape3{256, 3, 3}));
}

TEST(Presets, AreKnownByName) {
  EXPECT_THAT(
      PresetNames(),
      ElementsAre("note", "alexnet2012", "alexnet2012-source", "caffe-alexnet",
                  "caffenet", "torchvision", "cifar-small", "lenet5"));
  for (const std::string& name : PresetNames()) {
    EXPECT_EQ(MakePreset(name).arch, name);
    EXPECT_EQ(MakePreset(name, {.classes = 3}).classes, 3);
  }
  EXPECT_THAT([] { MakePreset("vgg"); },
              ThrowsMessage<UsageError>(HasSubstr("'vgg'; known are: note")));
}

TEST(Presets, BadOptionsAreRefused) {
  EXPECT_THROW(MakePreset("note", {.classes = 0}), UsageError);
  EXPECT_THROW(MakePreset("note", {.classes = int64_t{1} << 40}), UsageError);
  EXPECT_THROW(MakePreset("note", {.dropout = 1.0}), UsageError);
  EXPECT_THROW(MakePreset("note", {.dropout = -0.1}), UsageError);
}

TEST(Parameters, GoWeightThenBiasLayerByLayer) {
  const std::vector<ParameterInfo> list = Parameters(MakePreset("note"));
  ASSERT_EQ(list.size(), 16U);
  EXPECT_EQ(list[0].name, "features.0.weight");
  EXPECT_THAT(list[0].shape, ElementsAre(96, 3, 11, 11));
  EXPECT_EQ(list[0].elements, 34'848);
  EXPECT_EQ(list[0].fan_in, 363);
  EXPECT_FALSE(list[0].bias);
  EXPECT_EQ(list[1].name, "features.0.bias");
  EXPECT_THAT(list[1].shape, ElementsAre(96));
  EXPECT_EQ(list[1].fan_in, 363);
  EXPECT_TRUE(list[1].bias);
  EXPECT_EQ(list[14].name, "classifier.6.weight");
  EXPECT_EQ(list[14].layer, 20U);
  EXPECT_THAT(list[14].shape, ElementsAre(10, 4096));
}

}  // namespace
}  // namespace alexnet
