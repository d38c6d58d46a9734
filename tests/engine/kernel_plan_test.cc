// SPDX-License-Identifier: MIT
// Which algorithms a convolution gets.
#include "engine/cpu/kernel_plan.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "alexnet/engine.h"
#include "engine/cpu/conv_pass.h"
#include "engine/cpu/conv_times.h"

namespace alexnet::cpu {
namespace {

constexpr Conv2dSpec kConv = {.in_channels = 64,
                              .out_channels = 32,
                              .kernel = {3, 3},
                              .stride = {1, 1},
                              .padding = {1, 1, 1, 1}};
constexpr Shape3 kInput = {64, 13, 13};

std::string Chosen(const std::vector<ConvTimes>& table, Isa isa = Isa::kAvx2) {
  return Text(DefaultAlgorithms(kConv, kInput, isa, table));
}

TEST(DefaultAlgorithms, TheTablesLowestTimesDecide) {
  ConvTimes line = {Isa::kAvx2, kInput, 32, 3, 1, {1, 2}, {1, 2, 3, 4}};
  EXPECT_EQ(Chosen({line}), "direct direct direct");
  line.forward = {2, 1};
  line.backward = {4, 2, 1, 3};
  EXPECT_EQ(Chosen({line}), "winograd direct winograd");
  line.backward = {4, 2, 3, 1};
  EXPECT_EQ(Chosen({line}), "winograd winograd direct");
}

TEST(DefaultAlgorithms, ACloseCallGoesToWinograd) {
  const ConvTimes line = {Isa::kAvx2, kInput,        32, 3, 1,
                          {1, 1.05},  {1, 1.1, 2, 2}};
  EXPECT_EQ(Chosen({line}), "winograd winograd winograd");
}

TEST(DefaultAlgorithms, WhatWasNotMeasuredIsNotChosen) {
  const ConvTimes line = {Isa::kAvx2, kInput, 32, 3, 1, {1, 2}, {3, 0, 2, 0}};
  EXPECT_EQ(Chosen({line}), "direct direct winograd");
}

TEST(DefaultAlgorithms, AnotherShapeOrInstructionSetGoesByTheRule) {
  const ConvTimes line = {Isa::kAvx2, kInput, 32, 3, 1, {1, 2}, {1, 2, 3, 4}};
  EXPECT_EQ(Chosen({line}, Isa::kAvx512), "winograd winograd winograd");
  std::vector<ConvTimes> others(4, line);
  others[0].input.width = 14;
  others[1].out_channels = 64;
  others[2].kernel = 5;
  others[3].stride = 2;
  EXPECT_EQ(Chosen(others), "winograd winograd winograd");
}

TEST(DefaultAlgorithms, WhatAddsOnlyBfloat16GoesByTheTimesOfAvx512) {
  const ConvTimes line = {Isa::kAvx512, kInput, 32, 3, 1, {1, 2}, {1, 2, 3, 4}};
  EXPECT_EQ(Chosen({line}, Isa::kAvx512Bf16), "direct direct direct");
  EXPECT_EQ(Chosen({line}, Isa::kAvx2), "winograd winograd winograd");
}

TEST(DefaultAlgorithms, Bfloat16TakesTilesOnlyWithAmx) {
  EXPECT_EQ(Text(DefaultAlgorithms(kConv, kInput, Isa::kAvx512Bf16,
                                   Precision::kBfloat16)),
            "winograd winograd winograd");
  EXPECT_EQ(
      Text(DefaultAlgorithms(kConv, kInput, Isa::kAmx, Precision::kBfloat16)),
      "tiles tiles tiles");
}

// An engine of the note's network that is never run: pages that nothing
// touches take no memory.
std::unique_ptr<Engine> NoteWith(const std::string& plan) {
  EngineSpec spec;
  spec.model = MakePreset("note");
  spec.source = {3, 32, 32};
  spec.batch_size = 1;
  spec.device = Device::kCpu;
  spec.threads = 1;
  spec.kernel_plan = plan;
  return MakeEngine(spec);
}

TEST(DefaultAlgorithms, AnEngineDropsWhatItsPrecisionDoesNotHave) {
  const KernelPlan plan = KernelPlan::Parse(
      NoteWith("features.8 tiles tiles tiles\n")->kernel_plan());
  const KernelPlan by_default = KernelPlan::Parse(NoteWith("")->kernel_plan());
  EXPECT_EQ(Text(plan.For("features.8")), Text(by_default.For("features.8")));
}

TEST(DefaultAlgorithms, AnEngineTakesThemUnlessItsPlanSaysOtherwise) {
  if (SelectedIsa() == Isa::kGeneric) return;  // has direct convolution alone
  const KernelPlan by_default = KernelPlan::Parse(NoteWith("")->kernel_plan());
  const Conv2dSpec conv4 = {.in_channels = 384,
                            .out_channels = 384,
                            .kernel = {3, 3},
                            .stride = {1, 1},
                            .padding = {1, 1, 1, 1}};
  EXPECT_EQ(Text(by_default.For("features.8")),
            Text(DefaultAlgorithms(conv4, {384, 13, 13}, SelectedIsa(),
                                   Precision::kFloat32)));
  for (const std::string stored :
       {"direct winograd direct", "winograd direct winograd"}) {
    const KernelPlan plan = KernelPlan::Parse(
        NoteWith("features.8 " + stored + "\n")->kernel_plan());
    EXPECT_EQ(Text(plan.For("features.8")), stored);
    EXPECT_EQ(Text(plan.For("features.10")),
              Text(by_default.For("features.10")));
  }
}

}  // namespace
}  // namespace alexnet::cpu
