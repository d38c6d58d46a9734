// SPDX-License-Identifier: MIT
// What the CUDA engine works out before it touches a GPU: layouts, lifetimes,
// memory, the kernel plan's text. Runs everywhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "alexnet/error.h"
#include "core/resize.h"
#include "engine/cuda/kernel_plan.h"
#include "engine/cuda/network_plan.h"
#include "engine/golden.h"
#include "engine/op_cases.h"

namespace alexnet::cuda {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using testing_support::OpCase;

EngineSpec SpecOf(const ModelSpec& model) {
  EngineSpec spec;
  spec.model = model;
  spec.source = model.input;
  return spec;
}

TEST(KernelPlan, TextGoesBothWays) {
  const std::string text =
      "cuda slice 128\nfeatures.0 forward f47:2=1,10=3\n"
      "features.0 weights direct\n";
  const KernelPlan plan = KernelPlan::Parse(text);
  EXPECT_EQ(plan.slice, 128);
  EXPECT_EQ(plan.For("features.0", "forward"), "f47:2=1,10=3");
  EXPECT_EQ(plan.For("features.0", "data"), "");
  EXPECT_EQ(plan.ToString(), text);
  EXPECT_TRUE(KernelPlan::Parse("").choices.empty());
}

TEST(KernelPlan, NamesTheLineThatMakesNoSense) {
  for (const std::string bad :
       {"slice 3", "cuda slice 0", "cuda slice 3 4", "cuda slice 3\nx y z",
        "cuda slice 3\nx forward", "cuda slice 3\nx data direct more"}) {
    EXPECT_THAT([&] { KernelPlan::Parse(bad); },
                ThrowsMessage<Error>(HasSubstr("makes no sense")))
        << bad;
  }
}

TEST(ParameterPlace, LayoutsGoBothWays) {
  for (const ParameterPlace& place : PlaceParameters(MakePreset("note"))) {
    EXPECT_EQ(place.offset % 64, 0);
    if (place.info.elements > 1000000) continue;
    const auto n = static_cast<size_t>(place.info.elements);
    std::vector<float> values(n), device(n), back(n);
    std::iota(values.begin(), values.end(), 0.0F);
    ToDeviceLayout(place, values.data(), device.data());
    FromDeviceLayout(place, device.data(), back.data());
    EXPECT_EQ(back, values) << place.info.name;
  }
}

// K × C × R × S becomes K × R × S × C; a linear layer's columns follow the
// layout of the activation that was flattened before it.
TEST(ParameterPlace, ChannelsComeLast) {
  const ModelSpec model =
      testing_support::Net({2, 3, 3}, {testing_support::Conv(2, 1, {1, 2})}, 1);
  const std::vector<ParameterPlace> places = PlaceParameters(model);
  const std::vector<float> weight = {0, 1, 10, 11};  // c·10 + s
  std::vector<float> device(4);
  ToDeviceLayout(places[0], weight.data(), device.data());
  EXPECT_THAT(device, ::testing::ElementsAre(0, 10, 1, 11));
  EXPECT_EQ(places[2].channels, 1);
  EXPECT_EQ(places[2].area, 6);
  EXPECT_EQ(FlatElements(places), 4 * 64);
}

class PlanCases : public ::testing::TestWithParam<OpCase> {};

// Buffers that are alive at the same time do not share bytes, and every
// buffer that an operation reads backward was alive all the while.
TEST_P(PlanCases, LifetimesHold) {
  const EngineSpec spec = SpecOf(GetParam().model);
  const NetworkPlan plan(spec, 3);
  for (const Buffer& a : plan.arena.buffers()) {
    EXPECT_LE(a.first, a.last);
    for (const Buffer& b : plan.arena.buffers()) {
      if (&a == &b || a.first > b.last || b.first > a.last) continue;
      EXPECT_TRUE(a.offset + a.bytes <= b.offset ||
                  b.offset + b.bytes <= a.offset)
          << a.purpose << " and " << b.purpose;
    }
  }
  const int last = 2 * static_cast<int>(plan.ops.size()) + 1;
  for (size_t i = 0; i < plan.ops.size(); ++i) {
    const Op& op = plan.ops[i];
    const int backward = last - static_cast<int>(i);
    if (std::holds_alternative<Conv2dSpec>(op.layer) ||
        std::holds_alternative<LinearSpec>(op.layer)) {
      EXPECT_GE(plan.activations[op.source].value->last, backward) << op.name;
    }
    if (op.argmax) {
      EXPECT_GE(op.argmax->last, backward) << op.name;
    }
    const Buffer* dy = plan.activations[op.target].gradient;
    if (op.target > 0) {
      ASSERT_NE(dy, nullptr);
      EXPECT_LE(dy->first, backward);
      EXPECT_GE(dy->last, backward);
    }
  }
  EXPECT_EQ(plan.activations[0].gradient, nullptr);
  EXPECT_TRUE(plan.activations.back().wide);
}

INSTANTIATE_TEST_SUITE_P(, PlanCases,
                         ::testing::ValuesIn(testing_support::OpCases()),
                         [](const auto& info) { return info.param.name; });

TEST(NetworkPlan, FitsTheBatchOf1024InFourGigabytes) {
  EngineSpec spec = SpecOf(MakePreset("note"));
  spec.precision = Precision::kBfloat16;
  const NetworkPlan plan(spec, 1024);
  EXPECT_LT(plan.arena.bytes() + StateBytes(spec) + (int64_t{256} << 20),
            int64_t{4} << 30);
  spec.training = false;
  EXPECT_LT(NetworkPlan(spec, 1024).arena.bytes(), plan.arena.bytes());
}

TEST(NetworkPlan, RefusesWhatItWouldReadInTheWrongOrder) {
  ModelSpec model = MakePreset("lenet5");
  std::erase_if(model.layers, [](const LayerSpec& layer) {
    return std::holds_alternative<LinearSpec>(layer.op);
  });
  model.classes = 16 * 5 * 5;
  EXPECT_THAT([&] { NetworkPlan(SpecOf(model), 1); },
              ThrowsMessage<Error>(HasSubstr("Flatten")));
}

TEST(ChooseSlice, TakesTheLargestEqualPart) {
  const auto bytes = [](int64_t n) { return 100 + 10 * n; };
  EXPECT_EQ(ChooseSlice(32, 0, 1000, bytes), 32);
  EXPECT_EQ(ChooseSlice(32, 0, 300, bytes), 16);
  EXPECT_EQ(ChooseSlice(32, 0, 110, bytes), 1);
  EXPECT_EQ(ChooseSlice(32, 8, 1000, bytes), 8);
  EXPECT_EQ(ChooseSlice(4, 8, 1000, bytes), 4);
}

TEST(ChooseSlice, SaysWhatIsNeededFreeAndPossible) {
  const auto bytes = [](int64_t n) { return (100 + 10 * n) << 20; };
  EXPECT_THAT([&] { ChooseSlice(64, 64, int64_t{300} << 20, bytes); },
              ThrowsMessage<Error>(
                  "out of GPU memory: 64 images at once need 740 MiB, 300 MiB "
                  "are free; the largest slice that fits is 20"));
  EXPECT_THAT([&] { ChooseSlice(64, 0, int64_t{50} << 20, bytes); },
              ThrowsMessage<Error>(
                  "out of GPU memory: a single image needs 110 MiB, 50 MiB are "
                  "free; not a single image fits"));
}

// The kernel's way to a pixel, which is not the CPU's: without whole passes.
TEST(ResizedPixel, IsThatOfTheWholePlane) {
  for (const auto& [in, out] :
       std::vector<std::pair<Size2, Size2>>{{{32, 32}, {227, 227}},
                                            {{32, 32}, {32, 32}},
                                            {{61, 40}, {17, 23}},
                                            {{5, 9}, {5, 4}},
                                            {{9, 5}, {21, 5}}}) {
    const ResizePlan plan(in, out);
    std::vector<uint8_t> pixels;
    for (int64_t i = 0; i < in.height * in.width; ++i) {
      pixels.push_back(static_cast<uint8_t>(
          testing_support::Hash(7, static_cast<uint64_t>(i))));
    }
    std::vector<uint8_t> scratch(static_cast<size_t>(plan.scratch_bytes()));
    std::vector<uint8_t> whole(static_cast<size_t>(out.height * out.width));
    ResizePlane(plan, pixels, scratch, whole);
    const auto table = [](const ResizeAxis& axis) {
      return ResizeTable{static_cast<int32_t>(axis.in),
                         static_cast<int32_t>(axis.out),
                         static_cast<int32_t>(axis.taps),
                         axis.first.data(),
                         axis.count.data(),
                         axis.weights.data()};
    };
    const ResizeTable across = table(plan.horizontal);
    const ResizeTable down = table(plan.vertical);
    for (int32_t i = 0; i < std::ssize(whole); ++i) {
      ASSERT_EQ(ResizedPixel(across, down, pixels.data(), i / across.out,
                             i % across.out),
                whole[static_cast<size_t>(i)]);
    }
  }
}

}  // namespace
}  // namespace alexnet::cuda
