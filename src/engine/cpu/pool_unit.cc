// SPDX-License-Identifier: MIT
// Max pooling by oneDNN; its workspace is one byte an output, the winner's
// place in its window. It needs a scratchpad only for layouts that do not occur
// after a convolution, and then brings its own.
#include <algorithm>

#include "engine/cpu/units.h"

namespace alexnet::cpu {
namespace {

using dnnl::prop_kind;
using PoolForward = dnnl::pooling_forward;
using PoolBackward = dnnl::pooling_backward;
constexpr auto kMax = dnnl::algorithm::pooling_max;

class PoolUnit final : public Unit {
 public:
  PoolUnit(Builder& builder, const std::string& name, const MaxPool2dSpec& spec,
           const Shape3& output, bool mask_relu, Activation input)
      : Unit(builder, name, std::move(input)), mask_relu_(mask_relu) {
    const Shape3& in = input_.shape;
    const dnnl::memory::dims dims = {builder.slice, output.channels,
                                     output.height, output.width};
    const dnnl::memory::dims kernel = {spec.kernel.height, spec.kernel.width};
    const dnnl::memory::dims stride = {spec.stride.height, spec.stride.width};
    const dnnl::memory::dims begin = {spec.padding.top, spec.padding.left};
    const dnnl::memory::dims end = {
        std::max(spec.padding.bottom, (output.height - 1) * stride[0] +
                                          kernel[0] - in.height - begin[0]),
        std::max(spec.padding.right, (output.width - 1) * stride[1] +
                                         kernel[1] - in.width - begin[1])};
    const auto kind = builder.training() ? prop_kind::forward_training
                                         : prop_kind::forward_inference;
    forward_plan_ = PoolForward::primitive_desc(
        PoolForward::desc(kind, kMax, input_.desc,
                          AnyLayout(dims, input_.desc.data_type()), stride,
                          kernel, begin, end),
        dnnl::primitive_attr(), dnnl_.engine);
    const int tick = builder.forward_tick();
    input_.value->UseAt(tick);
    output_ = builder.MakeActivation(output, /*flat=*/false,
                                     forward_plan_.dst_desc());
    if (!builder.training()) return;
    // Kept even where no gradient flows on: the forward primitive writes it.
    winners_ = builder.arena.Add("pooling winners",
                                 Bytes(forward_plan_.workspace_desc()), tick);
    if (!input_.gradient) return;
    const int back = builder.backward_tick();
    winners_->UseAt(back);
    input_.gradient->UseAt(back);
    if (mask_relu_) output_.value->UseAt(back);
    backward_plan_ = PoolBackward::primitive_desc(
        PoolBackward::desc(kMax, input_.desc, output_.desc, stride, kernel,
                           begin, end),
        dnnl::primitive_attr(), dnnl_.engine, forward_plan_);
  }

  void Bind() override {
    const auto source = MemoryAt(dnnl_, input_.desc, input_.value->data);
    const auto target = MemoryAt(dnnl_, output_.desc, output_.value->data);
    if (!winners_) {
      forward_ = Call(PoolForward(forward_plan_),
                      {{DNNL_ARG_SRC, source}, {DNNL_ARG_DST, target}});
      return;
    }
    const auto winners =
        MemoryAt(dnnl_, forward_plan_.workspace_desc(), winners_->data);
    forward_ =
        Call(PoolForward(forward_plan_), {{DNNL_ARG_SRC, source},
                                          {DNNL_ARG_DST, target},
                                          {DNNL_ARG_WORKSPACE, winners}});
    if (!input_.gradient) return;
    backward_ = Call(PoolBackward(backward_plan_),
                     {{DNNL_ARG_DIFF_DST,
                       MemoryAt(dnnl_, output_.desc, output_.gradient->data)},
                      {DNNL_ARG_WORKSPACE, winners},
                      {DNNL_ARG_DIFF_SRC,
                       MemoryAt(dnnl_, input_.desc, input_.gradient->data)}});
  }

  void Forward(const Slice&) override { forward_(dnnl_); }

  void Backward(const Slice&) override {
    if (!backward_) return;
    if (mask_relu_) MaskGradient(kernels_, output_);
    backward_(dnnl_);
  }

 private:
  bool mask_relu_;
  PoolForward::primitive_desc forward_plan_;
  PoolBackward::primitive_desc backward_plan_;
  Buffer* winners_ = nullptr;
  Call forward_, backward_;
};

}  // namespace

std::unique_ptr<Unit> MakePoolUnit(Builder& builder, const std::string& name,
                                   const MaxPool2dSpec& spec,
                                   const Shape3& output, bool mask_relu,
                                   Activation input) {
  return std::make_unique<PoolUnit>(builder, name, spec, output, mask_relu,
                                    std::move(input));
}

}  // namespace alexnet::cpu
