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
#include "engine/hashed_values.h"
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
    std::vector<float> values(n), back(n);
    std::vector<float> device(static_cast<size_t>(place.elements()), 7.0F);
    std::iota(values.begin(), values.end(), 1.0F);
    ToDeviceLayout(place, values.data(), device.data());
    FromDeviceLayout(place, device.data(), back.data());
    EXPECT_EQ(back, values) << place.info.name;
    // All else is padding.
    EXPECT_EQ(std::ranges::count(device, 0.0F),
              std::ssize(device) - std::ssize(values))
        << place.info.name;
  }
}

// 11 × 11 over 3 channels, 4 apart, as 3 × 3 over 48: the tap (r, s) of channel
// c is that of block (r / 4, s / 4).
TEST(ParameterPlace, TheFirstConvolutionTakesBlocksForChannels) {
  const ParameterPlace place = PlaceParameters(MakePreset("note"))[0];
  EXPECT_EQ(place.block, 4);
  EXPECT_EQ(place.row_elements(), 3 * 3 * 48);
  EXPECT_EQ(place.At(2, 5, 10), ((1 * 3 + 2) * 16 + 1 * 4 + 2) * 3 + 2);
  const InputBlocks blocks = BlocksOf(MakePreset("note"));
  EXPECT_EQ(blocks.stored, (Shape3{48, 57, 57}));
}

TEST(InputBlocks, AreForSquareStridesOverFewChannels) {
  using testing_support::Conv;
  const auto size = [](const Conv2dSpec& conv) {
    return BlocksOf(testing_support::Net({conv.in_channels, 12, 13}, {conv}))
        .size;
  };
  EXPECT_EQ(size(Conv(3, 8, {5, 7}, {4, 4})), 4);
  EXPECT_EQ(size(Conv(2, 8, {3, 2}, {2, 2})), 2);
  EXPECT_EQ(size(Conv(1, 8, {4, 4}, {4, 4})), 4);
  EXPECT_EQ(size(Conv(3, 8, {3, 3})), 1);                 // no stride
  EXPECT_EQ(size(Conv(3, 8, {5, 5}, {4, 2})), 1);         // two strides
  EXPECT_EQ(size(Conv(3, 8, {3, 5}, {4, 4})), 1);         // small kernel
  EXPECT_EQ(size(Conv(3, 8, {5, 5}, {2, 2})), 1);         // 12 channels
  EXPECT_EQ(size(Conv(8, 8, {5, 5}, {4, 4})), 1);         // enough of them
  EXPECT_EQ(size(Conv(2, 8, {3, 3}, {2, 2}, {}, 2)), 1);  // groups
  EXPECT_EQ(BlocksOf(MakePreset("lenet5")).size, 1);
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
  EXPECT_EQ(places[2].kernel, (Size2{3, 2}));
  EXPECT_EQ(FlatElements(places), 4 * 64);
}

// Gradients and moments end where the frozen parameters begin.
TEST(ParameterPlace, TheTrainedOnesComeFirst) {
  ModelSpec model = MakePreset("note");
  Freeze(model, std::vector<std::string>{"features.0", "classifier.1"});
  const std::vector<ParameterPlace> places = PlaceParameters(model);
  const int64_t trained = TrainedElements(places);
  int64_t end = 0;
  for (const ParameterPlace& place : places) {
    EXPECT_EQ(place.offset >= trained, place.info.frozen) << place.info.name;
    end = std::max(end, place.offset + place.elements());
  }
  EXPECT_LT(trained, FlatElements(places));
  EXPECT_LE(end, FlatElements(places));
  EXPECT_EQ(TrainedElements(PlaceParameters(MakePreset("note"))),
            FlatElements(places));
}

// Every trained value once, in the model's order, and nobody else's.
TEST(FlatTiles, CoverWhatIsTrained) {
  ModelSpec model = MakePreset("lenet5");
  model.layers[0].frozen = true;
  const std::vector<ParameterPlace> places = PlaceParameters(model);
  std::vector<int64_t> covered(places.size());
  int32_t last = 0;
  for (const FlatTile& tile : MakeTiles(places)) {
    EXPECT_GE(tile.parameter, last);
    last = tile.parameter;
    const auto at = static_cast<size_t>(tile.parameter);
    EXPECT_EQ(tile.begin, places[at].offset + covered[at]);
    EXPECT_LE(tile.elements, kTileElements);
    EXPECT_EQ(tile.elements % 4, 0);
    covered[at] += tile.elements;
  }
  for (size_t i = 0; i < places.size(); ++i) {
    const int64_t n = places[i].info.frozen ? 0 : places[i].elements();
    EXPECT_EQ(covered[i], (n + 3) / 4 * 4) << places[i].info.name;
  }
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
  for (size_t i = plan.first_trained; i < plan.ops.size(); ++i) {
    const Op& op = plan.ops[i];
    const int backward = last - static_cast<int>(i);
    if (std::holds_alternative<Conv2dSpec>(op.layer) ||
        std::holds_alternative<LinearSpec>(op.layer)) {
      EXPECT_GE(plan.activations[op.source].value->last, backward) << op.name;
    }
    if (op.argmax) {
      EXPECT_GE(op.argmax->last, backward) << op.name;
    }
    if (op.relu) {
      EXPECT_GE(plan.activations[op.target].value->last, backward) << op.name;
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

// Of convolution, ReLU and pooling only the pooling's output is kept, whose
// sign is the ReLU's mask, and a dropout's too.
TEST(NetworkPlan, PoolingAddsTheBiasAndKeepsItsOutputAlone) {
  const NetworkPlan plan(SpecOf(MakePreset("note")), 2);
  const int first_backward = static_cast<int>(plan.ops.size()) + 2;
  const Op& conv = plan.ops[0];
  const Op& pool = plan.ops[1];
  ASSERT_TRUE(std::holds_alternative<MaxPool2dSpec>(pool.layer));
  EXPECT_FALSE(conv.bias || conv.relu);
  EXPECT_TRUE(pool.bias && pool.relu && pool.trained);
  EXPECT_EQ(pool.weight, conv.weight);
  EXPECT_LT(plan.activations[conv.target].value->last, first_backward);
  EXPECT_GE(plan.activations[pool.target].value->last, first_backward);
  for (size_t i = 1; i < plan.ops.size(); ++i) {
    if (!std::holds_alternative<DropoutSpec>(plan.ops[i].layer)) continue;
    EXPECT_TRUE(plan.ops[i].backward_in_relu) << i;
    EXPECT_EQ(plan.ops[i - 1].scale, 2) << i;
  }
}

// Three convolutions and two linear layers, some of them frozen. No ReLU needs
// the sign of what is pooled.
NetworkPlan PlanFrozen(const std::vector<std::string>& names) {
  using testing_support::Conv;
  ModelSpec model = testing_support::Net(
      {3, 9, 9}, {Conv(3, 8, {3, 3}), ReluSpec{}, Conv(8, 8, {3, 3}),
                  DropoutSpec{0.1}, MaxPool2dSpec{{3, 3}, {2, 2}, {}, false},
                  FlattenSpec{}, LinearSpec{32, 16}, ReluSpec{}});
  Freeze(model, names);
  return NetworkPlan(SpecOf(model), 2);
}

TEST(NetworkPlan, NoGradientGoesBelowTheFirstTrainedLayer) {
  const NetworkPlan plan = PlanFrozen({"0", "2"});
  EXPECT_EQ(plan.ops[plan.first_trained].name, "6");
  for (size_t i = 0; i < plan.ops.size(); ++i) {
    const Activation& out = plan.activations[plan.ops[i].target];
    EXPECT_EQ(out.gradient != nullptr, i >= plan.first_trained);
  }
  EXPECT_LT(plan.arena.bytes(), PlanFrozen({}).arena.bytes());
}

// Gradients pass through it, for which its output's sign is kept, not its
// input.
TEST(NetworkPlan, AFrozenLayerInTheMiddleKeepsNoInput) {
  const NetworkPlan free = PlanFrozen({});
  const NetworkPlan plan = PlanFrozen({"6"});
  EXPECT_EQ(plan.first_trained, 0U);
  const size_t at = 4;
  ASSERT_EQ(plan.ops[at].name, "6");
  EXPECT_FALSE(plan.ops[at].trained);
  const auto input = [&](const NetworkPlan& p) {
    return p.activations[p.ops[at].source];
  };
  EXPECT_NE(input(plan).gradient, nullptr);
  EXPECT_LT(input(plan).value->last, input(free).value->last);
  EXPECT_EQ(plan.activations[plan.ops[at].target].value->last,
            free.activations[free.ops[at].target].value->last);
}

TEST(StateBytes, CountWhatTheOptimizerKeeps) {
  EngineSpec spec = SpecOf(MakePreset("note"));
  const int64_t array = 4 * FlatElements(PlaceParameters(spec.model));
  const auto arrays = [&] { return StateBytes(spec) / array; };
  EXPECT_EQ(arrays(), 4);  // weights, gradients, two moments
  spec.optimizer.kind = OptimizerKind::kSgd;
  EXPECT_EQ(arrays(), 3);
  spec.average_decay = 0.9;
  EXPECT_EQ(arrays(), 4);
  const int64_t without = StateBytes(spec);
  spec.clip_norm = 1;
  EXPECT_GT(StateBytes(spec), without);
  Freeze(spec.model, std::vector<std::string>{"classifier"});
  EXPECT_LT(StateBytes(spec), without / 2);
  spec.training = false;
  EXPECT_EQ(StateBytes(spec), array);
}

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
  const auto counted = [&](int64_t n) { return n > 9 ? kTooMuch : bytes(n); };
  EXPECT_THAT([&] { ChooseSlice(64, 10, int64_t{300} << 20, counted); },
              ThrowsMessage<Error>(
                  "out of GPU memory: 10 images at once need more values than "
                  "kernels count, 300 MiB are free; the largest slice that "
                  "fits is 9"));
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
