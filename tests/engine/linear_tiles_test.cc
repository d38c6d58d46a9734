// SPDX-License-Identifier: MIT
// AMX's products of the linear layers against plain loops in double, as in
// tiles_test.cc. Skipped where the processor has no AMX.
#include "engine/cpu/linear_tiles.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <ostream>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/error.h"
#include "engine/aligned.h"
#include "engine/hashed_values.h"
#include "engine/op_cases.h"
#include "engine/relative_error.h"
#include "engine/tile_buffers.h"

namespace alexnet::cpu {
namespace {

using testing_support::ExpectGuard;
using testing_support::Floats;
using testing_support::FloatScratch;
using testing_support::Halves;
using testing_support::HasTiles;
using testing_support::Index;
using testing_support::kSumTolerance;
using testing_support::Random;
using testing_support::RelativeError;
using testing_support::Round;
using testing_support::Scratch;
using testing_support::Widen;
using testing_support::Written;

struct Sizes {
  int64_t images, in, out;
};

void PrintTo(const Sizes& s, std::ostream* out) {
  *out << s.images << " × " << s.in << " × " << s.out;
}

class LinearTiles : public testing::TestWithParam<Sizes> {
 protected:
  void SetUp() override {
    if (!HasTiles()) GTEST_SKIP() << "this processor has no AMX";
  }

  double X(int64_t n, int64_t i) const { return x_[Index(n * s_.in + i)]; }
  double W(int64_t k, int64_t i) const { return w_[Index(k * s_.in + i)]; }
  double Dy(int64_t n, int64_t k) const { return dy_[Index(n * s_.out + k)]; }

  // Σ_i f(i), i < n
  template <class Term>
  static double Sum(int64_t n, const Term& term) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += term(i);
    return sum;
  }

  static Floats Rounded(int64_t n, uint32_t seed) {
    return Widen(Round(Random(Index(n), seed)));
  }

  Floats InputGradient() {
    Floats dx = FloatScratch(x_.size());
    kernels_->backward({.input_gradients = dx.data(),
                        .gradients = dy_.data(),
                        .packed_gradients = packed_outputs_.data(),
                        .weights = w_.data(),
                        .images = s_.images,
                        .in = s_.in,
                        .out = s_.out});
    return dx;
  }

  void Update(const ParameterTile& weights, const UpdateStep& step) {
    kernels_->update(
        {.weights = weights,
         .inputs = x_.data(),
         .gradients = dy_.data(),
         .packed = reinterpret_cast<float*>(packed_inputs_.data()),
         .packed_gradients = reinterpret_cast<float*>(packed_outputs_.data()),
         .images = s_.images,
         .in = s_.in,
         .out = s_.out},
        MakeCoefficients(step));
  }

  // Of weights of zero that are updated with a rate of −1: what is left.
  Floats Gradient() {
    UpdateStep step;
    step.optimizer.kind = OptimizerKind::kSgd;
    step.optimizer.momentum = 0;
    step.learning_rate = -1;
    Floats w = FloatScratch(w_.size());
    std::fill_n(w.begin(), w_.size(), 0.0F);
    Floats m = w;
    Update({w.data(), m.data(), nullptr, nullptr}, step);
    ExpectGuard(m);
    return w;
  }

  Sizes s_ = GetParam();
  const LinearTileKernels* kernels_ = LinearTileKernelsFor(Isa::kAmx);
  Floats x_ = Rounded(s_.images * s_.in, 1);
  Floats w_ = Rounded(s_.out * s_.in, 2);
  Floats dy_ = Rounded(s_.images * s_.out, 3);
  Halves packed_inputs_ = Packed(s_.in);
  Halves packed_outputs_ = Packed(s_.out);

  Halves Packed(int64_t values) const {
    return Scratch(LinearScratchBytes(s_.images, values) /
                   static_cast<int64_t>(sizeof(Bfloat16)));
  }
};

TEST_P(LinearTiles, Forward) {
  const Floats bias = Random(Index(s_.out), 4);
  const Halves rounded = Round(w_);
  for (const bool relu : {false, true}) {
    std::vector<double> expected;
    for (int64_t n = 0; n < s_.images; ++n) {
      for (int64_t k = 0; k < s_.out; ++k) {
        const double y = bias[Index(k)] + Sum(s_.in, [&](int64_t i) {
                           return X(n, i) * W(k, i);
                         });
        expected.push_back(relu ? std::max(y, 0.0) : y);
      }
    }
    for (const bool from_float32 : {false, true}) {
      Floats y = FloatScratch(dy_.size());
      kernels_->forward(
          {.outputs = y.data(),
           .inputs = x_.data(),
           .packed_inputs = packed_inputs_.data(),
           .weights = from_float32 ? w_.data() : nullptr,
           .weights_bf16 = from_float32 ? nullptr : rounded.data(),
           .bias = bias.data(),
           .images = s_.images,
           .in = s_.in,
           .out = s_.out,
           .relu = relu});
      EXPECT_LE(RelativeError(Written(y), expected), kSumTolerance);
    }
  }
  ExpectGuard(packed_inputs_);
}

TEST_P(LinearTiles, Backward) {
  const Floats dx = InputGradient();
  std::vector<double> expected;
  for (int64_t n = 0; n < s_.images; ++n) {
    for (int64_t i = 0; i < s_.in; ++i) {
      expected.push_back(
          Sum(s_.out, [&](int64_t k) { return Dy(n, k) * W(k, i); }));
    }
  }
  EXPECT_LE(RelativeError(Written(dx), expected), kSumTolerance);
  ExpectGuard(packed_outputs_);
}

TEST_P(LinearTiles, ANanIsNotRectified) {
  const Floats bias(Index(s_.out), NAN);
  Floats y = FloatScratch(dy_.size());
  kernels_->forward({.outputs = y.data(),
                     .inputs = x_.data(),
                     .packed_inputs = packed_inputs_.data(),
                     .weights = w_.data(),
                     .weights_bf16 = nullptr,
                     .bias = bias.data(),
                     .images = s_.images,
                     .in = s_.in,
                     .out = s_.out,
                     .relu = true});
  for (const float value : Written(y)) EXPECT_TRUE(std::isnan(value));
}

TEST_P(LinearTiles, UpdateFormsTheGradient) {
  std::vector<double> expected;
  for (int64_t k = 0; k < s_.out; ++k) {
    for (int64_t i = 0; i < s_.in; ++i) {
      expected.push_back(
          Sum(s_.images, [&](int64_t n) { return Dy(n, k) * X(n, i); }));
    }
  }
  EXPECT_LE(RelativeError(Written(Gradient()), expected), kSumTolerance);
  ExpectGuard(packed_inputs_);
  ExpectGuard(packed_outputs_);
}

// Every optimizer's values, each where it belongs.
TEST_P(LinearTiles, UpdateIsTheOptimizers) {
  const Floats gradient = Gradient();
  UpdateStep step;
  step.optimizer = {.eps = 0.5, .weight_decay = 0.25};
  step.learning_rate = 0.125;
  step.average_decay = 0.75;
  const auto parameters = [&] {
    std::array<Floats, 4> all;
    for (uint32_t i = 0; i < all.size(); ++i) {
      all[i] = FloatScratch(w_.size());
      const Floats values = Random(w_.size(), 10 + i);
      std::transform(values.begin(), values.end(), all[i].begin(),
                     [](float x) { return std::abs(x); });
    }
    return all;
  };
  std::array<Floats, 4> expected = parameters();
  std::array<Floats, 4> updated = parameters();
  const auto tile = [](std::array<Floats, 4>& all) {
    return ParameterTile{all[0].data(), all[1].data(), all[2].data(),
                         all[3].data()};
  };
  UpdateTile(tile(expected), gradient.data(), static_cast<int64_t>(w_.size()),
             MakeCoefficients(step));
  Update(tile(updated), step);
  for (size_t i = 0; i < updated.size(); ++i) {
    EXPECT_LE(RelativeError(Written(updated[i]), Written(expected[i])), 1e-6);
    ExpectGuard(updated[i]);
  }
}

TEST_P(LinearTiles, ThreadsDoNotChangeTheBits) {
  const int threads = omp_get_max_threads();
  std::vector<Floats> inputs, gradients;
  for (const int n : {1, 2, 3}) {
    omp_set_num_threads(n);
    inputs.push_back(InputGradient());
    gradients.push_back(Gradient());
  }
  omp_set_num_threads(threads);
  for (size_t i = 1; i < inputs.size(); ++i) {
    EXPECT_TRUE(std::ranges::equal(inputs[i], inputs[0]));
    EXPECT_TRUE(std::ranges::equal(gradients[i], gradients[0]));
  }
}

INSTANTIATE_TEST_SUITE_P(, LinearTiles,
                         testing::Values(Sizes{16, 16, 16}, Sizes{17, 1, 1},
                                         Sizes{16, 10, 10}, Sizes{64, 700, 130},
                                         Sizes{33, 1234, 77},
                                         Sizes{20, 4100, 40},
                                         Sizes{600, 1300, 20},
                                         Sizes{130, 90, 300}),
                         [](const auto& info) {
                           const Sizes& s = info.param;
                           return Concat(s.images, "_", s.in, "_", s.out);
                         });

// More images than a tile has rows, so that the update takes tiles; the
// gradient that an engine tells is formed another way.
TEST(TilesEngine, AStepMovesAgainstItsGradient) {
  if (SelectedIsa() < Isa::kAvx512Bf16) {
    GTEST_SKIP() << "this processor has no bfloat16";
  }
  constexpr int64_t kImages = 35;
  constexpr double kRate = 0.125;
  EngineSpec spec;
  spec.model = testing_support::Net(
      {3, 7, 5}, {FlattenSpec{}, LinearSpec{105, 31}, LinearSpec{31, 33}});
  spec.source = spec.model.input;
  spec.batch_size = kImages;
  spec.device = Device::kCpu;
  spec.precision = Precision::kBfloat16;
  spec.optimizer = {.kind = OptimizerKind::kSgd, .momentum = 0};
  const std::unique_ptr<Engine> engine = MakeEngine(spec);
  Initialize(*engine, 1);
  const std::vector<uint8_t> pixels =
      testing_support::Images(0, kImages, /*size=*/7);
  const std::vector<int32_t> labels(kImages, 2);
  Batch batch;
  batch.images = {std::span(pixels).first(Index(kImages * 105)), spec.source};
  batch.labels = labels;

  const auto read = [&](State state, const ParameterInfo& info) {
    std::vector<float> values(Index(info.elements));
    engine->Read(state, info.name, values);
    return values;
  };
  std::vector<std::vector<float>> before;
  for (const ParameterInfo& info : Parameters(spec.model)) {
    before.push_back(read(State::kParameter, info));
  }
  engine->Wait(engine->TrainStep(batch, {.step = 1, .learning_rate = kRate}));
  size_t next = 0;
  for (const ParameterInfo& info : Parameters(spec.model)) {
    std::vector<float> moved = read(State::kParameter, info);
    std::vector<float> expected = read(State::kGradient, info);
    for (size_t i = 0; i < moved.size(); ++i) {
      moved[i] -= before[next][i];
      expected[i] *= static_cast<float>(-kRate);
    }
    EXPECT_LE(RelativeError(moved, expected), 1e-2) << info.name;
    ++next;
  }
}

}  // namespace
}  // namespace alexnet::cpu
