// SPDX-License-Identifier: MIT
// Local response normalisation across channels by oneDNN, whose alpha is
// divided by the size as PyTorch's is. Its window is always symmetric, so even
// sizes, which nobody's AlexNet has, are left to the reference.
#include "engine/cpu/units.h"
#include "engine/reference/local_response_norm.h"

namespace alexnet::cpu {
namespace {

using dnnl::prop_kind;
constexpr auto kAcross = dnnl::algorithm::lrn_across_channels;

class LrnUnit final : public Unit {
 public:
  LrnUnit(Builder& builder, const std::string& name,
          const LocalResponseNormSpec& spec, Activation input)
      : Unit(builder, name, std::move(input)) {
    const auto alpha = static_cast<float>(spec.alpha);
    const auto beta = static_cast<float>(spec.beta);
    const auto k = static_cast<float>(spec.k);
    const auto kind = builder.training() ? prop_kind::forward_training
                                         : prop_kind::forward_inference;
    forward_plan_ = dnnl::lrn_forward::primitive_desc(
        dnnl::lrn_forward::desc(kind, kAcross, input_.desc, spec.size, alpha,
                                beta, k),
        dnnl::primitive_attr(), dnnl_.engine);
    const int tick = builder.forward_tick();
    input_.value->UseAt(tick);
    output_ = builder.MakeActivation(input_.shape, input_.flat, input_.desc);
    if (!builder.training()) return;
    workspace_ = builder.arena.Add("normalisation",
                                   Bytes(forward_plan_.workspace_desc()), tick);
    if (!input_.gradient) return;
    const int back = builder.backward_tick();
    workspace_->UseAt(back);
    input_.value->UseAt(back);
    input_.gradient->UseAt(back);
    backward_plan_ = dnnl::lrn_backward::primitive_desc(
        dnnl::lrn_backward::desc(kAcross, input_.desc, output_.desc, spec.size,
                                 alpha, beta, k),
        dnnl::primitive_attr(), dnnl_.engine, forward_plan_);
  }

  void Bind() override {
    const auto source = MemoryAt(dnnl_, input_.desc, input_.value->data);
    const auto target = MemoryAt(dnnl_, output_.desc, output_.value->data);
    const auto workspace =
        workspace_
            ? MemoryAt(dnnl_, forward_plan_.workspace_desc(), workspace_->data)
            : dnnl::memory(Desc(), dnnl_.engine, nullptr);
    forward_ = Call(dnnl::lrn_forward(forward_plan_),
                    {{DNNL_ARG_SRC, source},
                     {DNNL_ARG_DST, target},
                     {DNNL_ARG_WORKSPACE, workspace}});
    if (!workspace_ || !input_.gradient) return;
    backward_ = Call(dnnl::lrn_backward(backward_plan_),
                     {{DNNL_ARG_SRC, source},
                      {DNNL_ARG_DIFF_DST,
                       MemoryAt(dnnl_, output_.desc, output_.gradient->data)},
                      {DNNL_ARG_WORKSPACE, workspace},
                      {DNNL_ARG_DIFF_SRC,
                       MemoryAt(dnnl_, input_.desc, input_.gradient->data)}});
  }

  void Forward(const Slice&) override { forward_(dnnl_); }
  void Backward(const Slice&) override {
    if (backward_) backward_(dnnl_);
  }

 private:
  dnnl::lrn_forward::primitive_desc forward_plan_;
  dnnl::lrn_backward::primitive_desc backward_plan_;
  Buffer* workspace_ = nullptr;
  Call forward_, backward_;
};

// Image by image, in plain layout.
class EvenLrnUnit final : public Unit {
 public:
  EvenLrnUnit(Builder& builder, const std::string& name,
              const LocalResponseNormSpec& spec, Activation input)
      : Unit(builder, name, std::move(input)),
        spec_(spec),
        images_(builder.slice) {
    input_.value->UseAt(builder.forward_tick());
    output_ = builder.MakeActivation(input_.shape, input_.flat, input_.desc);
    if (!input_.gradient) return;
    input_.value->UseAt(builder.backward_tick());
    input_.gradient->UseAt(builder.backward_tick());
  }

  void Bind() override {}

  // The padding images of a short slice too: what follows reads them.
  void Forward(const Slice&) override {
    const int64_t n = input_.shape.elements();
#pragma omp parallel for schedule(static)
    for (int64_t image = 0; image < images_; ++image) {
      reference::LrnForward(output_.value->floats() + image * n,
                            input_.value->floats() + image * n, input_.shape,
                            spec_);
    }
  }

  void Backward(const Slice&) override {
    if (!input_.gradient) return;
    const int64_t n = input_.shape.elements();
#pragma omp parallel for schedule(static)
    for (int64_t image = 0; image < images_; ++image) {
      reference::LrnBackward(input_.gradient->floats() + image * n,
                             output_.gradient->floats() + image * n,
                             input_.value->floats() + image * n, input_.shape,
                             spec_);
    }
  }

 private:
  LocalResponseNormSpec spec_;
  int64_t images_;
};

}  // namespace

std::unique_ptr<Unit> MakeLrnUnit(Builder& builder, const std::string& name,
                                  const LocalResponseNormSpec& spec,
                                  Activation input) {
  if (spec.size % 2 == 0) {
    return std::make_unique<EvenLrnUnit>(builder, name, spec, std::move(input));
  }
  return std::make_unique<LrnUnit>(builder, name, spec, std::move(input));
}

}  // namespace alexnet::cpu
