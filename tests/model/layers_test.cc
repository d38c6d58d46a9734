// SPDX-License-Identifier: MIT
// Shape inference on small layers, and all that it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "alexnet/error.h"
#include "alexnet/model.h"

namespace alexnet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// The layer "it" with enough behind it to make a network of one class, if its
// output has `elements` values.
ModelSpec Around(const Shape3& input, const LayerOp& op, int64_t elements) {
  return {.arch = "",
          .input = input,
          .classes = 1,
          .layers = {{"it", op},
                     {"flatten", FlattenSpec{}},
                     {"last", LinearSpec{elements, 1}}}};
}

void ExpectOutput(const Shape3& input, const LayerOp& op,
                  const Shape3& output) {
  EXPECT_EQ(InferLayers(Around(input, op, output.elements()))[0].output,
            output);
}

void ExpectRefused(const Shape3& input, const LayerOp& op,
                   const std::string& why) {
  EXPECT_THAT(
      [&] { InferLayers(Around(input, op, 1)); },
      ThrowsMessage<UsageError>(AllOf(HasSubstr("layer it:"), HasSubstr(why))));
}

Conv2dSpec Conv(Size2 kernel, Size2 stride = {}, Padding padding = {}) {
  return {.in_channels = 2,
          .out_channels = 4,
          .kernel = kernel,
          .stride = stride,
          .padding = padding};
}

TEST(ConvShape, FloorAndCeil) {
  ExpectOutput({2, 10, 9}, Conv({3, 2}), Shape3{4, 8, 8});
  ExpectOutput({2, 10, 9}, Conv({3, 3}, {4, 3}), Shape3{4, 2, 3});
  Conv2dSpec ceil = Conv({3, 3}, {4, 3});
  ceil.ceil_mode = true;
  ExpectOutput({2, 10, 9}, ceil, Shape3{4, 3, 3});
}

TEST(ConvShape, CeilModeGives55From224) {
  const ModelSpec model = {.arch = "",
                           .input = {3, 224, 224},
                           .classes = 55 * 55,
                           .layers = {{"it", Conv2dSpec{.in_channels = 3,
                                                        .out_channels = 1,
                                                        .kernel = {11, 11},
                                                        .stride = {4, 4},
                                                        .ceil_mode = true}}}};
  EXPECT_EQ(InferLayers(model)[0].output, (Shape3{1, 55, 55}));
}

TEST(ConvShape, AsymmetricPadding) {
  ExpectOutput({2, 5, 5}, Conv({3, 3}, {1, 1}, {0, 1, 2, 3}), Shape3{4, 5, 7});
}

TEST(ConvShape, Refusals) {
  const Shape3 x = {2, 5, 5};
  ExpectRefused(x, Conv({6, 5}), "kernel of 6 does not fit");
  ExpectRefused(x, Conv({0, 1}), "kernel must be at least 1");
  ExpectRefused(x, Conv({1, 1}, {1, 0}), "stride must be at least 1");
  ExpectRefused(x, Conv({1, 1}, {1, 1}, {0, 0, -1, 0}), "padding must be 0");
  ExpectRefused({3, 5, 5}, Conv({1, 1}),
                "takes 2 channels, its input is 3×5×5");
  Conv2dSpec conv = Conv({1, 1});
  conv.groups = 3;
  ExpectRefused(x, conv, "3 groups do not divide 2 input and 4 output");
  conv.groups = 0;
  ExpectRefused(x, conv, "groups must be at least 1");
  conv = Conv({1, 1});
  conv.out_channels = 0;
  ExpectRefused(x, conv, "out_channels must be at least 1");
  conv.out_channels = std::numeric_limits<int32_t>::max();
  conv.padding = {1 << 30, 1 << 30, 0, 0};
  ExpectRefused(x, conv, "too large");
}

TEST(PoolShape, FloorAndCeil) {
  MaxPool2dSpec pool = {.kernel = {3, 3}, .stride = {2, 2}};
  ExpectOutput({2, 13, 6}, pool, Shape3{2, 6, 2});
  pool.ceil_mode = true;
  ExpectOutput({2, 13, 6}, pool, Shape3{2, 6, 3});
}

TEST(PoolShape, LastWindowBeginsInsideInputOrLeadingPadding) {
  const MaxPool2dSpec pool = {.kernel = {2, 2},
                              .stride = {2, 2},
                              .padding = {1, 1, 1, 1},
                              .ceil_mode = true};
  // 3 + 2 rows in windows of 2: the third would begin at row 4 − 1 = 3.
  ExpectOutput({1, 3, 4}, pool, Shape3{1, 2, 3});
}

TEST(PoolShape, Refusals) {
  const Shape3 x = {2, 5, 5};
  ExpectRefused(x, MaxPool2dSpec{.kernel = {6, 2}}, "kernel of 6 does not fit");
  ExpectRefused(x, MaxPool2dSpec{.kernel = {2, 0}}, "kernel must be");
  ExpectRefused(x,
                MaxPool2dSpec{.kernel = {1 << 16, 1 << 15},
                              .stride = {1, 1},
                              .padding = {1 << 15, 1 << 14, 1 << 15, 1 << 14}},
                "values of a window must be at least 1 and below 2³¹");
  ExpectRefused(x, MaxPool2dSpec{.kernel = {2, 2}, .stride = {0, 1}},
                "stride must be");
  ExpectRefused(x, MaxPool2dSpec{.kernel = {3, 3}, .padding = {2, 0, 0, 0}},
                "padding must be at most half the kernel of 3, is 2");
}

TEST(OtherShapes, AndRefusals) {
  ExpectOutput({2, 3, 4}, FlattenSpec{}, Shape3{24, 1, 1});
  ExpectOutput({2, 3, 4}, ReluSpec{}, Shape3{2, 3, 4});
  ExpectOutput({2, 3, 4}, LocalResponseNormSpec{}, Shape3{2, 3, 4});
  ExpectOutput({2, 3, 4}, DropoutSpec{0}, Shape3{2, 3, 4});
  ExpectOutput({6, 1, 1}, LinearSpec{6, 5}, Shape3{5, 1, 1});
  ExpectRefused({2, 3, 4}, LinearSpec{24, 5}, "a vector of 24");
  ExpectRefused({6, 1, 1}, LinearSpec{7, 5}, "a vector of 7, its input is 6");
  ExpectRefused({6, 1, 1}, LinearSpec{6, 0}, "out_features must be");
  ExpectRefused({6, 1, 1}, DropoutSpec{1}, "probability must be in [0, 1)");
  ExpectRefused({6, 1, 1}, DropoutSpec{-0.5}, "probability");
  ExpectRefused({6, 1, 1}, DropoutSpec{std::nan("")}, "probability");
  ExpectRefused({6, 1, 1}, LocalResponseNormSpec{.size = 0}, "size must be");
  ExpectRefused({6, 1, 1}, LocalResponseNormSpec{.k = 0}, "k above 0");
  ExpectOutput({2, 3, 4}, MapResponseNormSpec{}, Shape3{2, 3, 4});
  ExpectRefused({2, 3, 4}, MapResponseNormSpec{.size = 4}, "must be odd");
  ExpectRefused({2, 3, 4}, MapResponseNormSpec{.beta = -1}, "alpha and beta");
  ExpectRefused({6, 1, 1}, LocalResponseNormSpec{.alpha = -1}, "alpha");
}

TEST(Models, AsAWhole) {
  EXPECT_THAT(
      [] {
        InferLayers(Around({0, 1, 1}, ReluSpec{}, 1));
      },
      ThrowsMessage<UsageError>(HasSubstr("channels must be at least")));
  ModelSpec model = {
      .arch = "", .input = {6, 1, 1}, .classes = 5, .layers = {}};
  EXPECT_THAT([&] { InferLayers(model); },
              ThrowsMessage<UsageError>(HasSubstr("no layers")));
  model.layers = {{"a", LinearSpec{6, 4}}, {"a", LinearSpec{4, 5}}};
  EXPECT_THAT([&] { InferLayers(model); },
              ThrowsMessage<UsageError>(HasSubstr("unique")));
  model.layers = {{"", LinearSpec{6, 5}}};
  EXPECT_THROW(InferLayers(model), UsageError);
  model.layers = {{"a", LinearSpec{6, 4}}};
  EXPECT_THAT([&] { InferLayers(model); },
              ThrowsMessage<UsageError>(
                  HasSubstr("must yield 5 values, one for each class; it "
                            "yields 4×1×1")));
}

}  // namespace
}  // namespace alexnet
