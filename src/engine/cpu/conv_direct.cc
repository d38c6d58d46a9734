// SPDX-License-Identifier: MIT
// Direct convolution by oneDNN, in the blocked layouts that it likes best.
#include <algorithm>
#include <string_view>
#include <vector>

#include "engine/cpu/conv_pass.h"
#include "engine/cpu/layout_change.h"

namespace alexnet::cpu {
namespace {

using dnnl::prop_kind;
using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;
using Type = dnnl::memory::data_type;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

// oneDNN's way to write a convolution's geometry.
struct Geometry {
  dnnl::memory::dims source, weights, bias, output, stride, begin, end;

  explicit Geometry(const ConvShape& shape)
      : source{shape.images, shape.input.channels, shape.input.height,
               shape.input.width},
        weights{shape.spec.out_channels / shape.spec.groups,
                shape.spec.in_channels / shape.spec.groups,
                shape.spec.kernel.height, shape.spec.kernel.width},
        bias{shape.spec.out_channels},
        output{shape.images, shape.output.channels, shape.output.height,
               shape.output.width},
        stride{shape.spec.stride.height, shape.spec.stride.width},
        begin{shape.spec.padding.top, shape.spec.padding.left},
        // In ceil mode the last window reaches beyond the padding.
        end{std::max(shape.spec.padding.bottom,
                     (shape.output.height - 1) * shape.spec.stride.height +
                         shape.spec.kernel.height - shape.input.height -
                         shape.spec.padding.top),
            std::max(shape.spec.padding.right,
                     (shape.output.width - 1) * shape.spec.stride.width +
                         shape.spec.kernel.width - shape.input.width -
                         shape.spec.padding.left)} {
    if (shape.spec.groups > 1) {
      weights.insert(weights.begin(), shape.spec.groups);
    }
  }
};

// With maps of `type` in and out; weights are of their type too, biases and
// sums stay float32.
Forward::primitive_desc PlanForward(const Geometry& g, Type type, bool training,
                                    const Dnnl& dnnl) {
  const auto kind =
      training ? prop_kind::forward_training : prop_kind::forward_inference;
  // Named, for next_impl still reads it.
  const Forward::desc desc(kind, kDirect, AnyLayout(g.source, type),
                           AnyLayout(g.weights, type), Plain(g.bias),
                           AnyLayout(g.output, type), g.stride, g.begin, g.end);
  Forward::primitive_desc plan(desc, UserScratchpad(), dnnl.engine);
  // When it makes this kernel, oneDNN 2.6.3 reads the entry after the last of a
  // list of its own.
  constexpr std::string_view kReadsTooFar = "brgconv:avx512_core_amx";
  while (std::string_view(plan.impl_info_str()).starts_with(kReadsTooFar) &&
         plan.next_impl()) {
  }
  return plan;
}

// A convolution's weights in the layout and type that a primitive wants.
class PrimitiveWeights {
 public:
  PrimitiveWeights() = default;
  PrimitiveWeights(Builder& builder, const Desc& from, const Desc& to, int tick)
      : from_(from), to_(to) {
    if (from == to) return;
    reordered_ = builder.arena.Add("weights reordered", Bytes(to), tick);
  }

  dnnl::memory Bind(const Dnnl& dnnl, float* values) {
    if (!reordered_) return MemoryAt(dnnl, to_, values);
    reorder_ = Reorder(dnnl, from_, values, to_, reordered_->data);
    return MemoryAt(dnnl, to_, reordered_->data);
  }

  void operator()(const Dnnl& dnnl) const { reorder_(dnnl); }

 private:
  Desc from_, to_;
  Buffer* reordered_ = nullptr;
  Call reorder_;
};

class DirectForward final : public ConvForward {
 public:
  DirectForward(const ConvParts& parts, bool relu)
      : dnnl_(parts.builder.dnnl),
        kernels_(parts.builder.kernels),
        relu_(relu),
        plan_(PlanForward(Geometry(parts.shape), parts.builder.map_type(),
                          parts.builder.training(), dnnl_)),
        // Weights to be trained or saved stay float32.
        keeps_float32_(parts.builder.spec.training &&
                       IsBfloat16(plan_.weights_desc())),
        weights_(parts.builder, weights_desc(), plan_.weights_desc(),
                 parts.builder.forward_tick()),
        scratchpad_(parts.builder.scratchpad),
        source_(parts.builder, parts.input.desc, parts.input.value,
                plan_.src_desc(), parts.builder.forward_tick()) {
    parts.builder.NeedScratchpad(plan_.scratchpad_desc(),
                                 parts.builder.forward_tick());
  }

  Desc weights_desc() const override {
    return keeps_float32_ ? Plain(plan_.weights_desc().dims())
                          : plan_.weights_desc();
  }
  Desc output_desc() const override { return plan_.dst_desc(); }
  ConvSource source() const override {
    return {plan_.src_desc(), source_.result()};
  }

  void Bind() override {
    source_.Bind(dnnl_);
    call_ = Call(
        Forward(plan_),
        {{DNNL_ARG_SRC,
          MemoryAt(dnnl_, plan_.src_desc(), source_.result()->data)},
         {DNNL_ARG_WEIGHTS, weights_.Bind(dnnl_, weight_->value)},
         {DNNL_ARG_BIAS, MemoryAt(dnnl_, bias_->desc, bias_->value)},
         {DNNL_ARG_DST, MemoryAt(dnnl_, output_.desc, output_.value->data)},
         {DNNL_ARG_SCRATCHPAD,
          MemoryAt(dnnl_, plan_.scratchpad_desc(), scratchpad_->data)}});
  }

  void Run() override {
    source_(dnnl_);
    weights_(dnnl_);
    call_(dnnl_);
    if (relu_) Rectify(kernels_, output_);
  }

 private:
  const Dnnl& dnnl_;
  const Kernels& kernels_;
  // After the convolution: oneDNN's own would make a NaN zero.
  bool relu_;
  Forward::primitive_desc plan_;
  bool keeps_float32_;
  PrimitiveWeights weights_;
  Buffer* scratchpad_;
  LayoutChange source_;
  Call call_;
};

// Most places a thread's running sum of a weight gradient should go over.
// oneDNN adds them up in one float: at the 97,000 places of conv1 with 32
// images the rounding would exceed the budget of direct convolution (1.7e-6 of
// the norm measured over 35,000 places on AVX2, where 1e-6 is promised).
constexpr int64_t kPlacesInOneSum = 8192;

// Images to sum at once: a divisor of the slice's.
int64_t ImagesInOneSum(const ConvShape& shape, int threads) {
  const int64_t places = shape.output.height * shape.output.width;
  const int64_t most = threads * std::max<int64_t>(1, kPlacesInOneSum / places);
  int64_t images = std::min(shape.images, most);
  while (shape.images % images != 0) --images;
  return images;
}

// The first `images` of a batch, which is the outermost dimension of every
// layout that oneDNN chooses.
Desc FirstImages(const Desc& desc, int64_t images) {
  dnnl::memory::dims dims = desc.dims();
  dims[0] = images;
  return desc.submemory_desc(dims, {0, 0, 0, 0});
}

// Sums in groups of images, see above. The backward plans want the forward
// plan as a hint, whatever the forward pass really uses.
class DirectWeightGradient final : public ConvWeightGradient {
 public:
  DirectWeightGradient(const ConvParts& parts, const ConvSource& source,
                       const Activation& output)
      : dnnl_(parts.builder.dnnl),
        kernels_(parts.builder.kernels),
        type_(parts.builder.map_type()),
        scratchpad_(parts.builder.scratchpad) {
    const Geometry batch(parts.shape);
    const BackwardWeights::primitive_desc whole = Plan(
        batch, AnyLayout(batch.source, type_), AnyLayout(batch.output, type_));
    ConvShape group = parts.shape;
    group.images = ImagesInOneSum(parts.shape, parts.builder.spec.threads);
    groups_ = parts.shape.images / group.images;
    const Geometry g(group);
    plan_ = Plan(g, FirstImages(whole.src_desc(), group.images),
                 FirstImages(whole.diff_dst_desc(), group.images));
    const int tick = parts.builder.backward_tick();
    parts.builder.NeedScratchpad(plan_.scratchpad_desc(), tick);
    source_ = LayoutChange(parts.builder, source.desc, source.value,
                           whole.src_desc(), tick);
    gradient_ = LayoutChange(parts.builder, output.desc, output.gradient,
                             whole.diff_dst_desc(), tick);
    bias_desc_ = Plain(g.bias);
    source_step_ = Bytes(whole.src_desc()) / groups_;
    gradient_step_ = Bytes(whole.diff_dst_desc()) / groups_;
    if (groups_ == 1) return;
    group_weights_ =
        parts.builder.arena.Add("gradients", Bytes(weights_desc()), tick);
    group_bias_ = parts.builder.arena.Add("gradients", Bytes(bias_desc_), tick);
  }

  Desc weights_desc() const override { return plan_.diff_weights_desc(); }

  void Bind() override {
    source_.Bind(dnnl_);
    gradient_.Bind(dnnl_);
    for (int64_t i = 0; i < groups_; ++i) {
      float* weights = i == 0 ? weights_ : group_weights_->floats();
      float* bias = i == 0 ? bias_ : group_bias_->floats();
      calls_.emplace_back(
          BackwardWeights(plan_),
          Call::Arguments{
              {DNNL_ARG_SRC,
               MemoryAt(dnnl_, plan_.src_desc(),
                        source_.result()->data + i * source_step_)},
              {DNNL_ARG_DIFF_DST,
               MemoryAt(dnnl_, plan_.diff_dst_desc(),
                        gradient_.result()->data + i * gradient_step_)},
              {DNNL_ARG_DIFF_WEIGHTS, MemoryAt(dnnl_, weights_desc(), weights)},
              {DNNL_ARG_DIFF_BIAS, MemoryAt(dnnl_, bias_desc_, bias)},
              {DNNL_ARG_SCRATCHPAD,
               MemoryAt(dnnl_, plan_.scratchpad_desc(), scratchpad_->data)}});
    }
  }

  void Run() override {
    source_(dnnl_);
    gradient_(dnnl_);
    for (size_t i = 0; i < calls_.size(); ++i) {
      calls_[i](dnnl_);
      if (i == 0) continue;
      kernels_.add(group_weights_->floats(), weights_,
                   Bytes(weights_desc()) / 4);
      kernels_.add(group_bias_->floats(), bias_, Bytes(bias_desc_) / 4);
    }
  }

 private:
  BackwardWeights::primitive_desc Plan(const Geometry& g, const Desc& source,
                                       const Desc& gradient) const {
    return {BackwardWeights::desc(kDirect, source, AnyLayout(g.weights),
                                  Plain(g.bias), gradient, g.stride, g.begin,
                                  g.end),
            UserScratchpad(), dnnl_.engine,
            PlanForward(g, type_, /*training=*/true, dnnl_)};
  }

  const Dnnl& dnnl_;
  const Kernels& kernels_;
  Type type_;
  Buffer* scratchpad_;
  BackwardWeights::primitive_desc plan_;
  int64_t groups_ = 1;
  int64_t source_step_ = 0;  // bytes from group to group
  int64_t gradient_step_ = 0;
  LayoutChange source_, gradient_;
  Desc bias_desc_;
  Buffer* group_weights_ = nullptr;
  Buffer* group_bias_ = nullptr;
  std::vector<Call> calls_;
};

class DirectDataGradient final : public ConvPass {
 public:
  DirectDataGradient(const ConvParts& parts, const Parameter& weight,
                     const Activation& output)
      : dnnl_(parts.builder.dnnl),
        scratchpad_(parts.builder.scratchpad),
        weight_(weight) {
    const Geometry g(parts.shape);
    const Type type = parts.builder.map_type();
    plan_ = {BackwardData::desc(
                 kDirect, AnyLayout(g.source, type), AnyLayout(g.weights, type),
                 AnyLayout(g.output, type), g.stride, g.begin, g.end),
             UserScratchpad(), dnnl_.engine,
             PlanForward(g, type, /*training=*/true, dnnl_)};
    const int tick = parts.builder.data_gradient_tick();
    parts.builder.NeedScratchpad(plan_.scratchpad_desc(), tick);
    output_gradient_ = LayoutChange(parts.builder, output.desc, output.gradient,
                                    plan_.diff_dst_desc(), tick);
    weights_ = PrimitiveWeights(parts.builder, weight.desc,
                                plan_.weights_desc(), tick);
    input_gradient_ =
        LayoutChange::Into(parts.builder, plan_.diff_src_desc(),
                           parts.input.desc, parts.input.gradient, tick);
  }

  void Bind() override {
    output_gradient_.Bind(dnnl_);
    input_gradient_.Bind(dnnl_);
    call_ =
        Call(BackwardData(plan_),
             {{DNNL_ARG_DIFF_SRC, MemoryAt(dnnl_, plan_.diff_src_desc(),
                                           input_gradient_.source()->data)},
              {DNNL_ARG_WEIGHTS, weights_.Bind(dnnl_, weight_.value)},
              {DNNL_ARG_DIFF_DST, MemoryAt(dnnl_, plan_.diff_dst_desc(),
                                           output_gradient_.result()->data)},
              {DNNL_ARG_SCRATCHPAD,
               MemoryAt(dnnl_, plan_.scratchpad_desc(), scratchpad_->data)}});
  }

  void Run() override {
    output_gradient_(dnnl_);
    weights_(dnnl_);
    call_(dnnl_);
    input_gradient_(dnnl_);
  }

 private:
  const Dnnl& dnnl_;
  Buffer* scratchpad_;
  const Parameter& weight_;
  BackwardData::primitive_desc plan_;
  PrimitiveWeights weights_;
  LayoutChange output_gradient_, input_gradient_;
  Call call_;
};

}  // namespace

std::unique_ptr<ConvForward> MakeDirectForward(const ConvParts& parts,
                                               bool relu) {
  return std::make_unique<DirectForward>(parts, relu);
}

std::unique_ptr<ConvWeightGradient> MakeDirectWeightGradient(
    const ConvParts& parts, const ConvSource& source,
    const Activation& output) {
  return std::make_unique<DirectWeightGradient>(parts, source, output);
}

std::unique_ptr<ConvPass> MakeDirectDataGradient(const ConvParts& parts,
                                                 const Parameter& weight,
                                                 const Activation& output) {
  return std::make_unique<DirectDataGradient>(parts, weight, output);
}

}  // namespace alexnet::cpu
