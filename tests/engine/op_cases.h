// SPDX-License-Identifier: MIT
// The one list of small networks that every engine is checked on: each layer
// type, on shapes that are ragged, tiny, just below and just above what vector
// registers and tiles hold.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "alexnet/model.h"
#include "engine/factories.h"
#include "model/infer_layer.h"

namespace alexnet::testing_support {

// Every device that this build and machine have.
inline std::vector<Device> AvailableDevices() {
  std::vector<Device> devices = {Device::kReference};
  if (HasCpuEngine()) devices.push_back(Device::kCpu);
  if (HasCudaEngine()) devices.push_back(Device::kCuda);
  return devices;
}

struct OpCase {
  std::string name;
  ModelSpec model;
  int64_t images = 2;
};

inline void PrintTo(const OpCase& op_case, std::ostream* out) {
  *out << op_case.name;
}

// Layers named "0", "1", …; then Flatten and a Linear for `classes` values.
inline ModelSpec Net(const Shape3& input, const std::vector<LayerOp>& ops,
                     int64_t classes = 3) {
  ModelSpec model = {
      .arch = "case", .input = input, .classes = classes, .layers = {}};
  Shape3 shape = input;
  const auto add = [&](const std::string& name, const LayerOp& op) {
    model.layers.push_back({name, op});
    shape = InferLayer(model.layers.back(), shape).output;
  };
  for (const LayerOp& op : ops) add(std::to_string(model.layers.size()), op);
  if (shape.height * shape.width > 1) add("flatten", FlattenSpec{});
  add("last", LinearSpec{shape.elements(), classes});
  return model;
}

inline Conv2dSpec Conv(int64_t in, int64_t out, Size2 kernel, Size2 stride = {},
                       Padding padding = {}, int64_t groups = 1,
                       bool ceil_mode = false) {
  return {in, out, kernel, stride, padding, groups, ceil_mode};
}

inline std::vector<OpCase> ConvCases() {
  return {
      {"conv_1x1", Net({1, 1, 1}, {Conv(1, 1, {1, 1})}), 1},
      {"conv_ragged", Net({3, 7, 5}, {Conv(3, 7, {3, 2})}), 3},
      {"conv_stride_wider_than_kernel",
       Net({2, 11, 9}, {Conv(2, 5, {2, 1}, {3, 2})})},
      {"conv_padding",
       Net({3, 8, 9}, {Conv(3, 17, {5, 5}, {1, 1}, {2, 2, 2, 2})})},
      {"conv_asymmetric_padding",
       Net({3, 7, 6}, {Conv(3, 16, {3, 4}, {2, 1}, {0, 1, 2, 3})})},
      {"conv_first_of_alexnet",
       Net({3, 31, 31}, {Conv(3, 15, {11, 11}, {4, 4}, {1, 1, 1, 1})})},
      {"conv_groups",
       Net({3, 6, 6},
           {Conv(3, 8, {3, 3}), Conv(8, 6, {3, 3}, {1, 1}, {1, 1, 1, 1}, 2)})},
      {"conv_depthwise",
       Net({3, 5, 7}, {Conv(3, 3, {3, 3}, {1, 1}, {1, 1, 1, 1}, 3)})},
      {"conv_ceil_mode",
       Net({3, 12, 10}, {Conv(3, 9, {3, 3}, {4, 4}, {}, 1, true)})},
      {"conv_ceil_mode_padding",
       Net({2, 10, 11}, {Conv(2, 4, {3, 3}, {3, 2}, {1, 0, 0, 1}, 1, true)})},
      {"conv_blocks_of_two",
       Net({2, 12, 11},
           {Conv(2, 8, {3, 3}, {2, 2}, {1, 1, 1, 1}), ReluSpec{}})},
      {"conv_blocks",
       Net({3, 17, 15},
           {Conv(3, 16, {5, 7}, {4, 4}, {1, 0, 2, 1}, 1, true), ReluSpec{},
            MaxPool2dSpec{{3, 3}, {2, 2}, {}, false}})},
      {"conv_twice",
       Net({3, 9, 9}, {Conv(3, 31, {3, 3}, {1, 1}, {1, 1, 1, 1}), ReluSpec{},
                       Conv(31, 33, {3, 3}, {1, 1}, {1, 1, 1, 1}), ReluSpec{}}),
       5},
  };
}

inline std::vector<OpCase> PoolCases() {
  const Conv2dSpec lift = Conv(3, 10, {2, 2});
  const auto pool = [](Size2 kernel, Size2 stride, Padding padding = {},
                       bool ceil_mode = false) {
    return MaxPool2dSpec{kernel, stride, padding, ceil_mode};
  };
  return {
      {"pool_overlapping", Net({3, 12, 10}, {lift, pool({3, 3}, {2, 2})})},
      {"pool_relu_overlapping",
       Net({3, 12, 10}, {lift, ReluSpec{}, pool({3, 3}, {2, 2})})},
      {"pool_ceil_mode",
       Net({3, 11, 9}, {lift, pool({3, 3}, {2, 2}, {}, true)})},
      {"pool_ceil_mode_padding",
       Net({3, 7, 8}, {lift, pool({2, 3}, {3, 2}, {1, 1, 1, 1}, true)})},
      {"pool_asymmetric_padding",
       Net({3, 8, 7}, {lift, ReluSpec{}, pool({3, 3}, {2, 1}, {0, 1, 1, 0})})},
      {"pool_whole", Net({3, 5, 4}, {lift, pool({4, 3}, {1, 1})})},
      {"pool_first", Net({3, 9, 9}, {pool({3, 3}, {2, 2})})},
      {"pool_after_dropout",
       Net({3, 8, 9}, {lift, DropoutSpec{0.2}, pool({3, 3}, {2, 2})})},
      {"pool_after_even_lrn",
       Net({3, 8, 9},
           {lift, LocalResponseNormSpec{4, 1, 0.75, 1}, pool({3, 3}, {2, 2})})},
      {"pool_then_relu",
       Net({3, 12, 10}, {lift, pool({3, 3}, {2, 2}), ReluSpec{}})},
      {"pool_many_channels",
       Net({3, 12, 10},
           {Conv(3, 32, {2, 2}), ReluSpec{}, pool({3, 3}, {2, 2}, {1, 1, 0, 0}),
            Conv(32, 16, {3, 3}), ReluSpec{}}),
       9},
      {"pool_large_window",
       Net({3, 19, 18}, {lift, ReluSpec{}, pool({16, 16}, {1, 1})})},
      {"pool_gaps", Net({3, 9, 9}, {lift, pool({1, 2}, {3, 3})})},
  };
}

inline std::vector<OpCase> LrnCases() {
  const Conv2dSpec lift = Conv(3, 18, {2, 2});
  const auto lrn = [](int64_t size, double alpha, double beta, double k) {
    return LocalResponseNormSpec{size, alpha, beta, k};
  };
  return {
      {"lrn_paper", Net({3, 5, 4}, {lift, ReluSpec{}, lrn(5, 1e-4, 0.75, 2)})},
      {"lrn_strong", Net({3, 4, 6}, {lift, lrn(3, 1.5, 0.6, 0.5)})},
      {"lrn_even", Net({3, 4, 4}, {lift, lrn(4, 2, 0.75, 1)})},
      {"lrn_wider_than_channels",
       Net({3, 4, 4}, {Conv(3, 4, {2, 2}), lrn(11, 2, 0.75, 1)})},
      {"lrn_wide",
       Net({3, 3, 3}, {Conv(3, 150, {1, 1}), lrn(101, 9, 0.75, 1)})},
      {"lrn_widest", Net({3, 4, 4}, {lift, lrn(300, 2, 0.75, 1)})},
      {"lrn_one", Net({3, 4, 3}, {lift, lrn(1, 1, 0.5, 1)})},
      {"map_norm", Net({3, 9, 8}, {lift, MapResponseNormSpec{5, 2, 0.75, 1}})},
      {"map_norm_wider_than_map",
       Net({3, 4, 3}, {lift, MapResponseNormSpec{7, 9, 0.6, 0.5}})},
      {"map_norm_first", Net({3, 5, 5}, {MapResponseNormSpec{3, 5, 0.75, 1}})},
      {"source_conv1",
       Net({3, 31, 31},
           {Conv(3, 16, {11, 11}, {4, 4}, {}, 1, true), lrn(5, 1, 0.75, 2),
            MaxPool2dSpec{{3, 3}, {2, 2}, {}, false}, ReluSpec{},
            Conv(16, 8, {3, 3}, {1, 1}, {1, 1, 1, 1}, 2)})},
      {"source_conv2",
       Net({3, 10, 10}, {lift, ReluSpec{}, lrn(5, 1, 0.75, 2),
                         MapResponseNormSpec{5, 1, 0.75, 1},
                         MaxPool2dSpec{{3, 3}, {2, 2}, {}, false}})},
      {"caffenet_pool_norm",
       Net({3, 10, 10},
           {lift, ReluSpec{}, MaxPool2dSpec{{3, 3}, {2, 2}, {}, false},
            lrn(5, 1, 0.75, 1), Conv(18, 8, {3, 3}, {1, 1}, {1, 1, 1, 1}, 2),
            ReluSpec{}})},
      {"lrn_relu_pool",
       Net({3, 9, 8}, {lift, lrn(5, 1, 0.75, 1), ReluSpec{},
                       MaxPool2dSpec{{3, 3}, {2, 2}, {}, false}})},
  };
}

inline std::vector<OpCase> OtherCases() {
  const LayerOp flat = FlattenSpec{};
  return {
      {"linear_1", Net({1, 1, 1}, {}, 1), 1},
      {"linear_ragged",
       Net({3, 7, 5},
           {flat, LinearSpec{105, 31}, ReluSpec{}, LinearSpec{31, 33},
            ReluSpec{}},
           7),
       7},
      {"many_classes", Net({3, 3, 3}, {}, 300), 5},
      {"linear_one_image", Net({3, 3, 3}, {flat, LinearSpec{27, 65}}, 10), 1},
      // As many images as two tiles, and some.
      {"linear_many_images",
       Net({3, 7, 5},
           {flat, LinearSpec{105, 31}, ReluSpec{}, LinearSpec{31, 33},
            ReluSpec{}},
           7),
       35},
      {"linear_after_conv",
       Net({3, 6, 7}, {Conv(3, 19, {3, 3}), ReluSpec{}, flat,
                       LinearSpec{19 * 4 * 5, 12}, ReluSpec{}}),
       4},
      {"relu_first", Net({3, 4, 5}, {ReluSpec{}})},
      {"dropout",
       Net({3, 6, 5}, {flat, DropoutSpec{0.5}, LinearSpec{90, 33}, ReluSpec{},
                       DropoutSpec{0.3}}),
       5},
      {"dropout_after_conv",
       Net({3, 6, 7}, {Conv(3, 11, {3, 3}), ReluSpec{}, DropoutSpec{0.25}, flat,
                       LinearSpec{11 * 4 * 5, 9}}),
       3},
      {"dropout_after_pool",
       Net({3, 9, 9}, {Conv(3, 18, {2, 2}), ReluSpec{},
                       MaxPool2dSpec{{3, 3}, {2, 2}, {}, false}, flat,
                       DropoutSpec{0.5}, LinearSpec{18 * 9, 21}, ReluSpec{}}),
       3},
      {"dropout_in_fours",
       Net({3, 9, 10},
           {Conv(3, 16, {2, 2}), ReluSpec{},
            MaxPool2dSpec{{2, 2}, {2, 2}, {}, false}, DropoutSpec{0.5}, flat,
            LinearSpec{16 * 16, 24}, ReluSpec{}, DropoutSpec{0.4}}),
       3},
      {"dropout_twice",
       Net({3, 6, 5}, {flat, LinearSpec{90, 32}, ReluSpec{}, DropoutSpec{0.5},
                       DropoutSpec{0.3}, LinearSpec{32, 9}}),
       5},
      {"dropout_none", Net({3, 2, 2}, {DropoutSpec{0}})},
      {"small_alexnet",
       Net({3, 39, 39},
           {Conv(3, 24, {11, 11}, {4, 4}, {1, 1, 1, 1}), ReluSpec{},
            Conv(24, 32, {5, 5}, {1, 1}, {2, 2, 2, 2}, 2), ReluSpec{},
            LocalResponseNormSpec{5, 1e-4, 0.75, 2},
            MaxPool2dSpec{{3, 3}, {2, 2}, {}, false},
            Conv(32, 20, {3, 3}, {1, 1}, {1, 1, 1, 1}), ReluSpec{}, flat,
            DropoutSpec{0.5}, LinearSpec{20 * 9, 40}, ReluSpec{},
            DropoutSpec{0.5}},
           10),
       4},
  };
}

inline std::vector<OpCase> OpCases() {
  std::vector<OpCase> cases = ConvCases();
  for (const auto& more : {PoolCases(), LrnCases(), OtherCases()}) {
    cases.insert(cases.end(), more.begin(), more.end());
  }
  return cases;
}

}  // namespace alexnet::testing_support
