// SPDX-License-Identifier: MIT
// Units that work in place or only change the layout: ReLU on its own,
// dropout, flatten.
#include "alexnet/error.h"
#include "core/philox.h"
#include "engine/cpu/layout_change.h"
#include "engine/cpu/units.h"

namespace alexnet::cpu {
namespace {

// In-place units share the buffers of their input. That is safe for the unit
// before: what it may want back in its backward pass is the sign of its output
// where the gradient is not zero, and neither ReLU nor dropout changes that.
void UseInPlace(Builder& builder, const Activation& activation) {
  activation.value->UseAt(builder.forward_tick());
  if (activation.gradient) activation.gradient->UseAt(builder.backward_tick());
}

class ReluUnit final : public Unit {
 public:
  ReluUnit(Builder& builder, const std::string& name, Activation input)
      : Unit(builder, name, std::move(input)) {
    UseInPlace(builder, input_);
    if (input_.gradient) input_.value->UseAt(builder.backward_tick());
    output_ = input_;
  }
  void Bind() override {}
  void Forward(const Slice&) override { Rectify(kernels_, input_); }
  void Backward(const Slice&) override {
    if (input_.gradient) MaskGradient(kernels_, input_);
  }
};

// Into C, H, W order; with `flat`, as one vector an image.
class PlainUnit final : public Unit {
 public:
  PlainUnit(Builder& builder, const std::string& name, bool flat,
            Activation input)
      : Unit(builder, name, std::move(input)) {
    const Shape3& shape = input_.shape;
    const Desc plain =
        input_.flat
            ? input_.desc
            : Plain({builder.slice, shape.channels, shape.height, shape.width});
    change_ = LayoutChange(builder, input_.desc, input_.value, plain,
                           builder.forward_tick());
    output_.shape = flat ? Shape3{shape.elements(), 1, 1} : shape;
    output_.flat = flat || input_.flat;
    output_.desc = flat ? Plain({builder.slice, shape.elements()}) : plain;
    output_.value = change_.result();
    if (!input_.gradient) return;
    back_ = LayoutChange::Into(builder, plain, input_.desc, input_.gradient,
                               builder.backward_tick());
    output_.gradient = back_.source();
  }
  void Bind() override {
    change_.Bind(dnnl_);
    if (input_.gradient) back_.Bind(dnnl_);
  }
  void Forward(const Slice&) override { change_(dnnl_); }
  void Backward(const Slice&) override { back_(dnnl_); }

 private:
  LayoutChange change_, back_;
};

// The mask is a function of (seed, layer, sample, epoch, element), so it is
// made anew in the backward pass and never stored.
class DropoutUnit final : public Unit {
 public:
  DropoutUnit(Builder& builder, const std::string& name, double p,
              int64_t layer, Activation input)
      : Unit(builder, name, std::move(input)),
        threshold_(DropoutThreshold(p)),
        scale_(static_cast<float>(1 / (1 - p))),
        layer_(layer),
        seed_(builder.spec.seed) {
    UseInPlace(builder, input_);
    output_ = input_;
  }
  void Bind() override {}
  void Forward(const Slice& slice) override {
    if (slice.training) Apply(slice, input_.value->floats());
  }
  void Backward(const Slice& slice) override {
    if (input_.gradient) Apply(slice, input_.gradient->floats());
  }

 private:
  void Apply(const Slice& slice, float* values) const {
    if (threshold_ == 0) return;
    const int64_t n = input_.shape.elements();
    kernels_.dropout({.values = values,
                      .images = slice.images,
                      .elements = n,
                      .sample_ids = slice.sample_ids.data(),
                      .layer = layer_,
                      .epoch = slice.epoch,
                      .seed = seed_,
                      .threshold = threshold_,
                      .scale = scale_});
  }

  uint32_t threshold_;
  float scale_;
  int64_t layer_;
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<Unit> MakeReluUnit(Builder& builder, const std::string& name,
                                   Activation input) {
  return std::make_unique<ReluUnit>(builder, name, std::move(input));
}

std::unique_ptr<Unit> MakePlainUnit(Builder& builder, const std::string& name,
                                    bool flat, Activation input) {
  return std::make_unique<PlainUnit>(builder, name, flat, std::move(input));
}

std::unique_ptr<Unit> MakeDropoutUnit(Builder& builder, const std::string& name,
                                      double p, int64_t layer,
                                      Activation input) {
  // Elements are counted in C, H, W order, so the values must lie that way.
  ALEXNET_CHECK(input.desc == Plain(input.desc.dims()));
  return std::make_unique<DropoutUnit>(builder, name, p, layer,
                                       std::move(input));
}

}  // namespace alexnet::cpu
