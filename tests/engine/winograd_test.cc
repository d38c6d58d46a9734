// SPDX-License-Identifier: MIT
// The error of each convolution path against the naive network in double:
// logits tell the forward pass, the last convolution's gradient the pass to
// the weights, and the first one's the pass to the data.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/error.h"
#include "core/isa.h"
#include "engine/cpu/conv_pass.h"
#include "engine/hashed_values.h"
#include "engine/loss.h"
#include "engine/op_cases.h"
#include "engine/reference/reference_network.h"
#include "engine/relative_error.h"

namespace alexnet {
namespace {

using testing_support::RelativeError;

// Many outputs, so that their norm is no accident of cancellation.
constexpr int64_t kClasses = 64;

// Of the norm; what the project promises.
struct Budget {
  double output;
  double weight_gradient;
};

constexpr double kBiasBudget = 3e-5;

// bfloat16 rounds each map, gradient and weight by 2⁻⁸ at most, 1.6e-3 as a
// root mean square.
Budget BudgetOf(Algorithms algorithms, Precision precision) {
  if (precision == Precision::kBfloat16) return {5e-3, 1e-2};
  return algorithms == Algorithms::kExact ? Budget{1e-6, 1e-6}
                                          : Budget{1e-5, 3e-5};
}

struct ConvCase {
  const char* name;
  Shape3 input;     // of the first; a 1×1 convolution makes it of an image
  int64_t middle;   // channels between the two convolutions
  int64_t outputs;  // of the second
  int64_t kernel;
  int64_t padding;
  int64_t images;
  int64_t slice = 0;
  int64_t first_kernel = 0;  // of the first, if another
  int64_t stride = 1;        // of the first
  bool ceil_mode = false;    // of the first
};

void PrintTo(const ConvCase& c, std::ostream* out) { *out << c.name; }

Shape3 Image(const ConvCase& c) { return {3, c.input.height, c.input.width}; }

// Maps that the tiles divide and do not; one and several blocks of channels,
// odd and even; more images than one block of tiles holds; slices.
const ConvCase kCases[] = {
    {"k5_one_tile", {16, 4, 4}, 16, 16, 5, 2, 1},
    {"k5_ragged", {32, 13, 11}, 48, 16, 5, 2, 3},
    {"k5_no_padding", {16, 9, 10}, 32, 16, 5, 0, 2},
    {"k3_one_tile", {16, 5, 5}, 16, 16, 3, 1, 1},
    {"k3_ragged", {48, 13, 13}, 32, 48, 3, 1, 5},
    {"k3_wide", {16, 7, 17}, 16, 80, 3, 0, 2},
    {"k3_smaller_than_a_tile", {32, 2, 3}, 16, 32, 3, 1, 4},
    // 16 MiB hold six images' tiles.
    {"k3_two_blocks", {16, 100, 100}, 16, 16, 3, 1, 7},
    {"k5_slices_and_a_short_one", {16, 9, 9}, 32, 16, 5, 2, 5, 2},
    // The first convolutions of AlexNet and others: blocks of pixels that the
    // image fills and does not, padding before the first.
    {"s4_k11", {3, 43, 39}, 32, 16, 3, 1, 3, 0, 11, 4},
    {"s4_k11_ceil", {3, 40, 40}, 16, 16, 3, 0, 2, 0, 11, 4, true},
    {"s4_k12_many_channels", {5, 44, 32}, 16, 16, 3, 1, 2, 0, 12, 4},
    {"s2_k5", {8, 19, 21}, 16, 32, 3, 2, 3, 2, 5, 2},
    {"s2_k9", {4, 25, 18}, 32, 16, 5, 2, 2, 0, 9, 2},
};

using Param = std::tuple<ConvCase, Algorithms, Precision>;

LayerOp First(const ConvCase& c) {
  const int64_t kernel = c.first_kernel ? c.first_kernel : c.kernel;
  return Conv2dSpec{.in_channels = c.input.channels,
                    .out_channels = c.middle,
                    .kernel = {kernel, kernel},
                    .stride = {c.stride, c.stride},
                    .padding = {c.padding, c.padding, c.padding, c.padding},
                    .ceil_mode = c.ceil_mode};
}

class ConvolutionError : public testing::TestWithParam<Param> {
 public:
  // No ReLU and no pooling, whose kinks would turn rounding into jumps.
  static ModelSpec Model(const ConvCase& c) {
    const Padding padding = {c.padding, c.padding, c.padding, c.padding};
    return testing_support::Net(
        Image(c),
        {testing_support::Conv(3, c.input.channels, {1, 1}), First(c),
         testing_support::Conv(c.middle, c.outputs, {c.kernel, c.kernel}, {},
                               padding),
         // Picks some places, or the linear layer's own rounding would show.
         testing_support::Conv(
             c.outputs, 8, {1, 1},
             {1 + c.input.height / 16, 1 + c.input.width / 16})},
        kClasses);
  }
};

TEST_P(ConvolutionError, StaysWithinItsBudget) {
  const auto& [c, algorithms, precision] = GetParam();
  if (precision == Precision::kBfloat16 && SelectedIsa() < Isa::kAvx512Bf16) {
    GTEST_SKIP() << "this processor has no bfloat16";
  }
  EngineSpec spec;
  spec.precision = precision;
  spec.model = Model(c);
  spec.source = Image(c);
  spec.batch_size = c.images;
  spec.slice_size = c.slice;
  spec.device = Device::kCpu;
  spec.algorithms = algorithms;
  spec.threads = 2;
  const std::unique_ptr<Engine> engine = MakeEngine(spec);
  Initialize(*engine, 1);
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < c.images * Image(c).elements(); ++i) {
    pixels.push_back(static_cast<uint8_t>(
        testing_support::Hash(1, static_cast<uint64_t>(i))));
  }
  const std::vector<int32_t> labels(static_cast<size_t>(c.images), 1);
  Batch batch;
  batch.images = {pixels, Image(c)};
  batch.labels = labels;

  ReferenceNetwork<double> net(spec.model, {.max_images = c.images});
  const auto elements = static_cast<size_t>(Image(c).elements());
  std::vector<float> input(pixels.size());
  engine->Preprocess(batch, input);
  for (int64_t n = 0; n < c.images; ++n) {
    std::copy_n(input.begin() + n * static_cast<int64_t>(elements), elements,
                net.input(n).begin());
  }
  for (size_t i = 0; i < net.parameters().size(); ++i) {
    std::vector<float> values(net.parameter(i).size());
    engine->Read(State::kParameter, net.parameters()[i].name, values);
    std::copy(values.begin(), values.end(), net.parameter(i).begin());
  }
  net.Forward(c.images, nullptr);
  for (int64_t n = 0; n < c.images; ++n) {
    SoftmaxCrossEntropy(net.logits_gradient(n), net.logits(n), 1,
                        1.0 / static_cast<double>(c.images));
  }
  net.Backward(c.images, nullptr);

  const Budget budget = BudgetOf(algorithms, precision);
  std::vector<float> logits(static_cast<size_t>(kClasses * c.images));
  std::vector<double> expected;
  engine->Infer(batch, logits);
  for (int64_t n = 0; n < c.images; ++n) {
    const auto row = net.logits(n);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  // Two of the convolutions under test stand in a row.
  EXPECT_LE(RelativeError(logits, std::span<const double>(expected)),
            2 * budget.output);
  engine->Wait(engine->TrainStep(batch, {}));
  for (size_t i = 0; i < net.parameters().size(); ++i) {
    const std::string& name = net.parameters()[i].name;
    std::vector<float> gradient(net.gradient(i).size());
    engine->Read(State::kGradient, name, gradient);
    // A bias's gradient is a plain sum over all places, with its own rounding.
    EXPECT_LE(RelativeError(gradient, net.gradient(i)),
              std::max(net.parameters()[i].bias ? kBiasBudget : 0,
                       budget.weight_gradient))
        << name;
  }
}

// An inference engine transforms its weights once; not once and for all.
TEST(ConvolutionErrorTest, AnInferenceEngineNoticesNewWeights) {
  const ConvCase& c = kCases[1];
  EngineSpec spec;
  spec.model = ConvolutionError::Model(c);
  spec.source = Image(c);
  spec.training = false;
  spec.device = Device::kCpu;
  const std::vector<uint8_t> pixels(static_cast<size_t>(Image(c).elements()),
                                    200);
  Batch batch;
  batch.images = {pixels, Image(c)};
  std::vector<float> before(kClasses), after(kClasses), fresh(kClasses);
  const std::unique_ptr<Engine> engine = MakeEngine(spec);
  Initialize(*engine, 1);
  engine->Infer(batch, before);
  Initialize(*engine, 2);
  engine->Infer(batch, after);
  const std::unique_ptr<Engine> other = MakeEngine(spec);
  Initialize(*other, 2);
  other->Infer(batch, fresh);
  EXPECT_EQ(after, fresh);
  EXPECT_NE(after, before);
}

TEST(ConvolutionErrorTest, EveryCaseRunsByWinogradWhereThereAreKernels) {
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    for (const ConvCase& c : kCases) {
      for (const LayerSpec& layer : ConvolutionError::Model(c).layers) {
        const auto* conv = std::get_if<Conv2dSpec>(&layer.op);
        if (!conv || conv->kernel == Size2{1, 1}) continue;
        EXPECT_TRUE(cpu::WinogradFits(*conv, isa)) << c.name;
      }
    }
  }
}

std::string NameOf(const testing::TestParamInfo<Param>& info) {
  const auto& [c, algorithms, precision] = info.param;
  return Concat(c.name, "_", Name(algorithms), "_", Name(precision));
}

INSTANTIATE_TEST_SUITE_P(
    , ConvolutionError,
    testing::Combine(testing::ValuesIn(kCases),
                     testing::Values(Algorithms::kFast, Algorithms::kExact),
                     testing::Values(Precision::kFloat32,
                                     Precision::kBfloat16)),
    NameOf);

}  // namespace
}  // namespace alexnet
