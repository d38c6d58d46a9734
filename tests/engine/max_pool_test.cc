// SPDX-License-Identifier: MIT
// The pooling kernels, in every instruction set that this machine has and every
// layout of a map, against the reference's loops: the same bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "core/bfloat16.h"
#include "engine/cpu/kernels.h"
#include "engine/op_cases.h"
#include "engine/reference/max_pool2d.h"

namespace alexnet::cpu {
namespace {

using testing::ElementsAreArray;
using Floats = std::vector<float>;

constexpr int64_t kImages = 2;
constexpr Bfloat16 kUntouched = 0x4321;  // as a value or half of one

// Between float32 and the values of a map.
template <class T>
T From(float value) {
  if constexpr (std::is_same_v<T, Bfloat16>) return ToBfloat16(value);
  return static_cast<T>(value);
}
template <class T>
float To(T value) {
  if constexpr (std::is_same_v<T, Bfloat16>) return FromBfloat16(value);
  return static_cast<float>(value);
}
template <class T>
float Rounded(float value) {
  return To(From<T>(value));
}

struct PoolCase {
  std::string name;
  Shape3 input;
  MaxPool2dSpec spec;
};

const std::vector<PoolCase> kCases = {
    {"alexnet", {24, 13, 15}, {{3, 3}, {2, 2}, {}, false}},
    {"one_row_of_triples", {17, 7, 9}, {{3, 3}, {3, 2}, {1, 0, 1, 0}, false}},
    {"rows_of_triples", {17, 7, 9}, {{2, 3}, {1, 2}, {1, 0, 1, 0}, false}},
    {"padding", {19, 7, 8}, {{2, 3}, {3, 2}, {1, 1, 1, 1}, true}},
    {"uneven", {16, 8, 7}, {{3, 4}, {2, 1}, {0, 1, 1, 2}, false}},
    {"gaps", {3, 9, 9}, {{1, 2}, {3, 3}, {}, false}},
    {"one", {5, 4, 4}, {{4, 4}, {1, 1}, {}, false}},
    {"largest_of_bytes", {9, 16, 18}, {{15, 17}, {1, 1}, {}, false}},
    {"beyond_bytes", {9, 18, 17}, {{16, 16}, {1, 1}, {}, false}},
};

Shape3 OutputOf(const PoolCase& c) {
  return InferLayers(testing_support::Net(c.input, {c.spec}))[0].output;
}

// Few different values, so that windows have ties; among them NaNs, infinities
// and both zeros.
Floats Inputs(int64_t n) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float odd[] = {std::numeric_limits<float>::quiet_NaN(), kInfinity,
                       -kInfinity, -0.0F};
  std::mt19937 generator(1);
  Floats values(static_cast<size_t>(n));
  for (float& value : values) {
    const auto draw = static_cast<uint32_t>(generator());
    value = 0.25F * static_cast<float>(static_cast<int>(draw % 23) - 14);
    if (draw % 61 < 4) value = odd[draw % 61];
  }
  return values;
}

// Values of bfloat16, whose sums have to be rounded.
Floats Gradients(int64_t n) {
  std::mt19937 generator(2);
  std::normal_distribution<float> normal;
  Floats values(static_cast<size_t>(n));
  for (float& value : values) value = Rounded<Bfloat16>(normal(generator));
  return values;
}

// By asking every window.
std::vector<PoolCover> Covers(const PoolSide& side) {
  std::vector<PoolCover> covers;
  for (int64_t place = 0; place < side.in; ++place) {
    PoolCover cover = {0, 0};
    for (int32_t q = 0; q < side.out; ++q) {
      const int64_t first = q * side.stride - side.padding;
      if (place < first || place >= first + side.kernel) continue;
      if (cover.end == 0) cover.begin = q;
      cover.end = q + 1;
    }
    covers.push_back(cover);
  }
  return covers;
}

// A map in the kernels' layout, with guards on both sides.
template <class T>
class Map {
 public:
  static constexpr size_t kGuard = 64;

  Map(const Shape3& shape, int64_t lanes)
      : shape_(shape),
        lanes_(lanes),
        blocks_((shape.channels + lanes - 1) / lanes),
        data_(static_cast<size_t>(kImages * blocks_ * lanes * shape.height *
                                  shape.width) +
                  2 * kGuard,
              Of(kUntouched)) {}

  Map(const Shape3& shape, int64_t lanes, const Floats& values)
      : Map(shape, lanes) {
    std::fill(data_.begin() + kGuard, data_.end() - kGuard, Of(0));
    ForEach(0, shape.channels, [&](size_t at, size_t canonical) {
      data_[at] = From<T>(values[canonical]);
    });
  }

  ~Map() {
    for (size_t i = 0; i < kGuard; ++i) {
      EXPECT_EQ(data_[i], Of(kUntouched)) << "written before";
      EXPECT_EQ(data_[data_.size() - 1 - i], Of(kUntouched)) << "written after";
    }
  }

  T* data() { return data_.data() + kGuard; }
  int64_t planes() const { return kImages * blocks_; }

  // In N, C, H, W order; what fills up a block must be zeros.
  Floats values() const {
    ForEach(shape_.channels, blocks_ * lanes_, [&](size_t at, size_t) {
      ASSERT_EQ(data_[at], T{}) << "at " << at;
    });
    Floats values(static_cast<size_t>(kImages * shape_.elements()));
    ForEach(0, shape_.channels, [&](size_t at, size_t canonical) {
      values[canonical] = To(data_[at]);
    });
    return values;
  }

 private:
  static T Of(Bfloat16 bits) { return static_cast<T>(bits); }

  // Channels first … last − 1: their values' places here and in that order.
  template <class F>
  void ForEach(int64_t first, int64_t last, F f) const {
    const int64_t area = shape_.height * shape_.width;
    for (int64_t n = 0; n < kImages; ++n) {
      for (int64_t c = first; c < last; ++c) {
        for (int64_t i = 0; i < area; ++i) {
          const int64_t plane = n * blocks_ + c / lanes_;
          const int64_t at = (plane * area + i) * lanes_ + c % lanes_;
          f(static_cast<size_t>(at) + kGuard,
            static_cast<size_t>((n * shape_.channels + c) * area + i));
        }
      }
    }
  }

  Shape3 shape_;
  int64_t lanes_;
  int64_t blocks_;
  std::vector<T> data_;
};

// What the reference makes of x and dy.
struct Expected {
  Floats y, dx;

  Expected(const PoolCase& c, const Floats& x, const Floats& dy, bool relu)
      : y(dy.size()), dx(x.size()) {
    const Shape3 out = OutputOf(c);
    std::vector<int32_t> argmax(static_cast<size_t>(out.elements()));
    for (int64_t n = 0; n < kImages; ++n) {
      float* image = y.data() + n * out.elements();
      reference::MaxPool2dForward(image, argmax.data(), out,
                                  x.data() + n * c.input.elements(), c.input,
                                  c.spec);
      Floats gradient(dy.begin() + n * out.elements(),
                      dy.begin() + (n + 1) * out.elements());
      for (int64_t i = 0; relu && i < out.elements(); ++i) {
        if (!(image[i] > 0)) gradient[static_cast<size_t>(i)] = 0;
        if (image[i] < 0) image[i] = 0;
      }
      reference::MaxPool2dBackward(dx.data() + n * c.input.elements(), c.input,
                                   gradient.data(), argmax.data(), out);
    }
  }
};

// All NaNs are one.
std::vector<uint32_t> Bits(const Floats& values) {
  std::vector<uint32_t> bits;
  for (const float value : values) {
    bits.push_back(value == value ? std::bit_cast<uint32_t>(value) : ~0U);
  }
  return bits;
}

template <class T, class W>
void Check(const Kernels& kernels, const PoolCase& c, int64_t lanes,
           bool relu) {
  SCOPED_TRACE(testing::Message() << c.name << ", " << lanes << " lanes, relu "
                                  << relu << ", " << sizeof(T) << " bytes");
  const Shape3 out = OutputOf(c);
  const Floats x = Inputs(kImages * c.input.elements());
  const Floats dy = Gradients(kImages * out.elements());
  Expected expected(c, x, dy, relu);
  for (float& value : expected.dx) value = Rounded<T>(value);
  Map<T> input(c.input, lanes, x), gradient(out, lanes, dy);
  Map<T> output(out, lanes), input_gradient(c.input, lanes);
  Map<W> winners(out, lanes);
  MaxPoolShape shape = {
      .down = {c.input.height, out.height, c.spec.kernel.height,
               c.spec.stride.height, c.spec.padding.top},
      .across = {c.input.width, out.width, c.spec.kernel.width,
                 c.spec.stride.width, c.spec.padding.left},
      .planes = input.planes(),
      .lanes = lanes,
      .bfloat16 = sizeof(T) == 2};
  const std::vector<PoolCover> down = Covers(shape.down);
  const std::vector<PoolCover> across = Covers(shape.across);
  shape.down.covers = down.data();
  shape.across.covers = across.data();
  ASSERT_EQ(shape.winners_are_bytes(), sizeof(W) == 1);

  kernels.max_pool({shape, relu, input.data(), output.data(), winners.data()});
  EXPECT_THAT(Bits(output.values()), ElementsAreArray(Bits(expected.y)));
  kernels.max_pool_gradient(
      {shape, gradient.data(), winners.data(), input_gradient.data()});
  EXPECT_THAT(Bits(input_gradient.values()),
              ElementsAreArray(Bits(expected.dx)));

  Map<T> alone(out, lanes);
  kernels.max_pool({shape, relu, input.data(), alone.data(), nullptr});
  EXPECT_THAT(Bits(alone.values()), ElementsAreArray(Bits(expected.y)))
      << "without winners";
}

class MaxPoolKernels : public testing::TestWithParam<Isa> {};

TEST_P(MaxPoolKernels, AreTheReference) {
  const Kernels& kernels = KernelsFor(GetParam());
  for (const PoolCase& c : kCases) {
    // PyTorch's order, oneDNN's blocks, channels side by side.
    for (const int64_t lanes :
         {int64_t{1}, int64_t{4}, int64_t{8}, int64_t{16}, c.input.channels}) {
      for (const bool relu : {false, true}) {
        if (c.name == "beyond_bytes") {
          Check<float, int32_t>(kernels, c, lanes, relu);
          Check<Bfloat16, int32_t>(kernels, c, lanes, relu);
        } else {
          Check<float, uint8_t>(kernels, c, lanes, relu);
          Check<Bfloat16, uint8_t>(kernels, c, lanes, relu);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, MaxPoolKernels, testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(Name(info.param));
                         });

}  // namespace
}  // namespace alexnet::cpu
