// SPDX-License-Identifier: MIT
// The naive layers against PyTorch's in float64: outputs and gradients.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/golden.h"
#include "engine/hashed_values.h"
#include "engine/reference/conv2d.h"
#include "engine/reference/linear.h"
#include "engine/reference/local_response_norm.h"
#include "engine/reference/map_response_norm.h"
#include "engine/reference/max_pool2d.h"
#include "engine/reference/relu.h"
#include "engine/relative_error.h"
#include "model/infer_layer.h"

namespace alexnet {
namespace {

using testing_support::RelativeError;

constexpr size_t kImages = 2;
constexpr double kTolerance = 1e-13;

std::vector<double> Doubles(uint64_t seed, size_t count) {
  const std::vector<float> values = testing_support::Values(seed, count);
  return {values.begin(), values.end()};
}

Size2 ToSize(const nlohmann::json& pair) { return {pair[0], pair[1]}; }
Padding ToPadding(const nlohmann::json& sides) {
  return {sides[0], sides[1], sides[2], sides[3]};
}
Shape3 ToShape(const nlohmann::json& shape) {
  return {shape[0], shape[1], shape[2]};
}

LayerOp ToOp(const nlohmann::json& spec) {
  const std::string op = spec["op"];
  const int64_t channels = spec["input"][0];
  if (op == "Conv2d") {
    return Conv2dSpec{channels,
                      spec["out_channels"],
                      ToSize(spec["kernel"]),
                      ToSize(spec["stride"]),
                      ToPadding(spec["padding"]),
                      spec["groups"],
                      spec["ceil_mode"]};
  }
  if (op == "MaxPool2d") {
    return MaxPool2dSpec{ToSize(spec["kernel"]), ToSize(spec["stride"]),
                         ToPadding(spec["padding"]), spec["ceil_mode"]};
  }
  if (op == "LocalResponseNorm") {
    return LocalResponseNormSpec{spec["size"], spec["alpha"], spec["beta"],
                                 spec["k"]};
  }
  if (op == "MapResponseNorm") {
    return MapResponseNormSpec{spec["size"], spec["alpha"], spec["beta"],
                               spec["k"]};
  }
  return LinearSpec{channels, spec["out_features"]};
}

// Forward and backward of one layer for one image.
struct RunOp {
  Shape3 x_shape;
  Shape3 y_shape;
  const double* x;
  const double* dy;
  const double* w;
  const double* b;
  double* y;
  double* dx;
  double* dw;
  double* db;

  void operator()(const Conv2dSpec& conv) {
    reference::Conv2dForward(y, y_shape, x, x_shape, w, b, conv);
    reference::Conv2dBackward(dx, dw, db, dy, y_shape, x, x_shape, w, conv);
  }
  void operator()(const LinearSpec& linear) {
    reference::LinearForward(y, x, w, b, linear);
    reference::LinearBackward(dx, dw, db, dy, x, w, linear);
  }
  void operator()(const MaxPool2dSpec& pool) {
    std::vector<int32_t> argmax(static_cast<size_t>(y_shape.elements()));
    reference::MaxPool2dForward(y, argmax.data(), y_shape, x, x_shape, pool);
    reference::MaxPool2dBackward(dx, x_shape, dy, argmax.data(), y_shape);
  }
  void operator()(const LocalResponseNormSpec& norm) {
    reference::LrnForward(y, x, x_shape, norm);
    reference::LrnBackward(dx, dy, x, x_shape, norm);
  }
  void operator()(const MapResponseNormSpec& norm) {
    reference::MapNormForward(y, x, x_shape, norm);
    reference::MapNormBackward(dx, dy, x, x_shape, norm);
  }
  template <class Other>
  void operator()(const Other&) {
    FAIL() << "no such golden";
  }
};

void CheckCase(const nlohmann::json& golden) {
  const Shape3 x_shape = ToShape(golden["input"]);
  const LayerOp op = ToOp(golden);
  const Shape3 y_shape = InferLayer({"op", op}, x_shape).output;
  ASSERT_EQ(y_shape, ToShape(golden["output"]));
  const auto x_size = static_cast<size_t>(x_shape.elements());
  const auto y_size = static_cast<size_t>(y_shape.elements());
  const std::vector<double> x = Doubles(1, kImages * x_size);
  const std::vector<double> dy = Doubles(5, kImages * y_size);
  std::vector<std::vector<double>> parameters(2);
  std::vector<std::vector<double>> gradients(2);
  const auto& expected = golden["dw"];
  for (size_t i = 0; i < expected.size(); ++i) {
    parameters[i] = Doubles(2 + i, expected[i].size());
    gradients[i].resize(expected[i].size());
  }
  std::vector<double> y(dy.size());
  std::vector<double> dx(x.size());
  for (size_t n = 0; n < kImages; ++n) {
    std::visit(
        RunOp{x_shape, y_shape, x.data() + n * x_size, dy.data() + n * y_size,
              parameters[0].data(), parameters[1].data(), y.data() + n * y_size,
              dx.data() + n * x_size, gradients[0].data(), gradients[1].data()},
        op);
  }
  EXPECT_LE(RelativeError(y, golden["y"].get<std::vector<double>>()),
            kTolerance);
  EXPECT_LE(RelativeError(dx, golden["dx"].get<std::vector<double>>()),
            kTolerance);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LE(
        RelativeError(gradients[i], expected[i].get<std::vector<double>>()),
        kTolerance);
  }
}

TEST(ReferenceOps, EqualPyTorchs) {
  const nlohmann::json golden = testing_support::LoadGolden("ops");
  ASSERT_EQ(golden["cases"].size(), 17U);
  for (const auto& op_case : golden["cases"]) {
    SCOPED_TRACE(op_case["name"].get<std::string>());
    CheckCase(op_case);
  }
}

TEST(ReferenceOps, MaxPoolTiesAndNaNs) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> x = {2, 2, nan, 1, nan, 9};
  const Shape3 shape = {1, 1, 6};
  const MaxPool2dSpec pool = {.kernel = {1, 3}, .stride = {1, 3}};
  std::vector<double> y(2);
  std::vector<int32_t> argmax(2);
  reference::MaxPool2dForward(y.data(), argmax.data(), {1, 1, 2}, x.data(),
                              shape, pool);
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
  EXPECT_EQ(argmax, (std::vector<int32_t>{2, 4}));
  const std::vector<double> ties = {2, 2, 1, 0, -0.0, -1};
  reference::MaxPool2dForward(y.data(), argmax.data(), {1, 1, 2}, ties.data(),
                              shape, pool);
  EXPECT_EQ(argmax, (std::vector<int32_t>{0, 3}));
}

TEST(ReferenceOps, ReluKeepsNaNs) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> x = {-1, 0, 2, nan};
  std::vector<double> dy = {5, 6, 7, 8};
  reference::ReluForward(x.data(), 4);
  reference::ReluBackward(dy.data(), x.data(), 4);
  EXPECT_EQ(x[0], 0);
  EXPECT_EQ(x[2], 2);
  EXPECT_TRUE(std::isnan(x[3]));
  EXPECT_EQ(dy, (std::vector<double>{0, 0, 7, 8}));
}

}  // namespace
}  // namespace alexnet
