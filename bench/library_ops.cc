// SPDX-License-Identifier: MIT
#include "library_ops.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/isa.h"

namespace alexnet {
namespace {

using dnnl::memory;
using dnnl::prop_kind;
using Tag = memory::format_tag;

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

const dnnl::engine& TheEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc Any(const memory::dims& dims) {
  return {dims, memory::data_type::f32, Tag::any};
}

memory::desc Vector(int64_t n) { return {{n}, memory::data_type::f32, Tag::a}; }

// Written to, so that it is real memory; neither zeros nor denormals.
memory Filled(const memory::desc& desc) {
  memory result(desc, TheEngine());
  auto* values = static_cast<float*>(result.get_data_handle());
  std::fill_n(values, desc.get_size() / sizeof(float), 0.01F);
  return result;
}

LibraryOp Prepared(dnnl::primitive primitive,
                   std::unordered_map<int, memory> arguments) {
  return [primitive = std::move(primitive), arguments = std::move(arguments),
          stream = dnnl::stream(TheEngine())]() mutable {
    primitive.execute(stream, arguments);
    stream.wait();
  };
}

}  // namespace

LibraryOp LibraryConv(const Conv2dSpec& conv, const Shape3& input,
                      const Shape3& output, int64_t images, Pass pass) {
  const auto src = Any({images, input.channels, input.height, input.width});
  const auto weights = Any({conv.out_channels, conv.in_channels,
                            conv.kernel.height, conv.kernel.width});
  const auto bias = Vector(conv.out_channels);
  const auto dst = Any({images, output.channels, output.height, output.width});
  const memory::dims stride = {conv.stride.height, conv.stride.width};
  const memory::dims begin = {conv.padding.top, conv.padding.left};
  const memory::dims end = {conv.padding.bottom, conv.padding.right};
  using Forward = dnnl::convolution_forward;
  const Forward::primitive_desc forward(
      {prop_kind::forward_training, kDirect, src, weights, bias, dst, stride,
       begin, end},
      TheEngine());
  if (pass == Pass::kForward) {
    return Prepared(Forward(forward),
                    {{DNNL_ARG_SRC, Filled(forward.src_desc())},
                     {DNNL_ARG_WEIGHTS, Filled(forward.weights_desc())},
                     {DNNL_ARG_BIAS, Filled(bias)},
                     {DNNL_ARG_DST, Filled(forward.dst_desc())}});
  }
  if (pass == Pass::kData) {
    using Data = dnnl::convolution_backward_data;
    const Data::primitive_desc plan(
        {kDirect, src, weights, dst, stride, begin, end}, TheEngine(), forward);
    return Prepared(Data(plan),
                    {{DNNL_ARG_DIFF_DST, Filled(plan.diff_dst_desc())},
                     {DNNL_ARG_WEIGHTS, Filled(plan.weights_desc())},
                     {DNNL_ARG_DIFF_SRC, Filled(plan.diff_src_desc())}});
  }
  using Weights = dnnl::convolution_backward_weights;
  const Weights::primitive_desc plan(
      {kDirect, src, weights, bias, dst, stride, begin, end}, TheEngine(),
      forward);
  return Prepared(Weights(plan),
                  {{DNNL_ARG_SRC, Filled(plan.src_desc())},
                   {DNNL_ARG_DIFF_DST, Filled(plan.diff_dst_desc())},
                   {DNNL_ARG_DIFF_WEIGHTS, Filled(plan.diff_weights_desc())},
                   {DNNL_ARG_DIFF_BIAS, Filled(bias)}});
}

namespace {

using LinearForward = dnnl::inner_product_forward;

LinearForward::primitive_desc PlanLinear(const LinearSpec& linear,
                                         int64_t images) {
  return {{prop_kind::forward_training, Any({images, linear.in_features}),
           Any({linear.out_features, linear.in_features}),
           Vector(linear.out_features), Any({images, linear.out_features})},
          TheEngine()};
}

// w, m, v ← Adam's step with the gradient g.
void Adam(float* w, float* m, float* v, const float* g, int64_t n) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < n; ++i) {
    m[i] = 0.9F * m[i] + 0.1F * g[i];
    v[i] = 0.999F * v[i] + 0.001F * g[i] * g[i];
    w[i] -= 1e-9F * m[i] / (std::sqrt(v[i]) + 1e-8F);
  }
}

}  // namespace

LibraryOp LibraryLinear(const LinearSpec& linear, int64_t images) {
  const auto plan = PlanLinear(linear, images);
  return Prepared(LinearForward(plan),
                  {{DNNL_ARG_SRC, Filled(plan.src_desc())},
                   {DNNL_ARG_WEIGHTS, Filled(plan.weights_desc())},
                   {DNNL_ARG_BIAS, Filled(plan.bias_desc())},
                   {DNNL_ARG_DST, Filled(plan.dst_desc())}});
}

LibraryOp LibraryLinearUpdate(const LinearSpec& linear, int64_t images) {
  using Weights = dnnl::inner_product_backward_weights;
  const Weights::primitive_desc plan(
      {Any({images, linear.in_features}),
       Any({linear.out_features, linear.in_features}),
       Vector(linear.out_features), Any({images, linear.out_features})},
      TheEngine(), PlanLinear(linear, images));
  const memory gradient = Filled(plan.diff_weights_desc());
  const LibraryOp form =
      Prepared(Weights(plan),
               {{DNNL_ARG_SRC, Filled(plan.src_desc())},
                {DNNL_ARG_DIFF_DST, Filled(plan.diff_dst_desc())},
                {DNNL_ARG_DIFF_WEIGHTS, gradient},
                {DNNL_ARG_DIFF_BIAS, Filled(Vector(linear.out_features))}});
  const auto n = linear.in_features * linear.out_features;
  const auto states = std::make_shared<std::vector<float>>(3 * n, 0.01F);
  return [=] {
    form();
    float* w = states->data();
    Adam(w, w + n, w + 2 * n, static_cast<float*>(gradient.get_data_handle()),
         n);
  };
}

LibraryOp LibraryResize(const Shape3& from, const Shape3& to, int64_t images) {
  using Resampling = dnnl::resampling_forward;
  const memory::desc src({images, from.channels, from.height, from.width},
                         memory::data_type::f32, Tag::nchw);
  const memory::desc dst({images, to.channels, to.height, to.width},
                         memory::data_type::f32, Tag::nchw);
  const Resampling::primitive_desc plan(
      {prop_kind::forward_inference, dnnl::algorithm::resampling_linear, src,
       dst},
      TheEngine());
  return Prepared(Resampling(plan),
                  {{DNNL_ARG_SRC, Filled(src)}, {DNNL_ARG_DST, Filled(dst)}});
}

LibraryOp LibraryPool(const MaxPool2dSpec& pool, const Shape3& input,
                      const Shape3& output, int64_t images, Pass pass) {
  constexpr auto kMax = dnnl::algorithm::pooling_max;
  const memory::dims stride = {pool.stride.height, pool.stride.width};
  const memory::dims kernel = {pool.kernel.height, pool.kernel.width};
  const memory::dims begin = {pool.padding.top, pool.padding.left};
  const memory::dims end = {pool.padding.bottom, pool.padding.right};
  // As a convolution would leave it.
  const memory::desc src(
      {images, input.channels, input.height, input.width},
      memory::data_type::f32,
      SelectedIsa() >= Isa::kAvx512 ? Tag::nChw16c : Tag::nChw8c);
  const auto dst = Any({images, output.channels, output.height, output.width});
  using Forward = dnnl::pooling_forward;
  const Forward::primitive_desc forward(
      {prop_kind::forward_training, kMax, src, dst, stride, kernel, begin, end},
      TheEngine());
  const memory winners(forward.workspace_desc(), TheEngine());
  const LibraryOp run_forward =
      Prepared(Forward(forward), {{DNNL_ARG_SRC, Filled(forward.src_desc())},
                                  {DNNL_ARG_DST, Filled(forward.dst_desc())},
                                  {DNNL_ARG_WORKSPACE, winners}});
  if (pass == Pass::kForward) return run_forward;
  run_forward();  // makes the winners
  using Backward = dnnl::pooling_backward;
  const Backward::primitive_desc plan(
      {kMax, src, forward.dst_desc(), stride, kernel, begin, end}, TheEngine(),
      forward);
  return Prepared(Backward(plan),
                  {{DNNL_ARG_DIFF_DST, Filled(plan.diff_dst_desc())},
                   {DNNL_ARG_WORKSPACE, winners},
                   {DNNL_ARG_DIFF_SRC, Filled(plan.diff_src_desc())}});
}

LibraryOp LibraryMask(int64_t elements) {
  const memory::desc desc = Vector(elements);
  const dnnl::binary::primitive_desc plan(
      {dnnl::algorithm::binary_mul, desc, desc, desc}, TheEngine());
  return Prepared(dnnl::binary(plan), {{DNNL_ARG_SRC_0, Filled(desc)},
                                       {DNNL_ARG_SRC_1, Filled(desc)},
                                       {DNNL_ARG_DST, Filled(desc)}});
}

}  // namespace alexnet
