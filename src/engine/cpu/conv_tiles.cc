// SPDX-License-Identifier: MIT
// Convolution in bfloat16 by AMX (tiles.h).
#include <algorithm>

#include "engine/cpu/conv_pass.h"
#include "engine/cpu/layout_change.h"
#include "engine/cpu/tiles.h"

namespace alexnet::cpu {
namespace {

const TileKernels& Kernels() { return *TileKernelsFor(SelectedIsa()); }

Desc WeightsDesc(const Conv2dSpec& spec) {
  return BlockedWeightsDesc(spec, kTileSide, /*transposed=*/true);
}

CorrelationShape ForwardShape(const ConvShape& shape) {
  return {.map = shape.input,
          .output = shape.output,
          .kernel = shape.spec.kernel,
          .top = shape.spec.padding.top,
          .left = shape.spec.padding.left};
}

// The backward pass to the data, a correlation with the kernel turned.
CorrelationShape TurnedShape(const ConvShape& shape) {
  const Size2& kernel = shape.spec.kernel;
  return {.map = shape.output,
          .output = shape.input,
          .kernel = kernel,
          .top = kernel.height - 1 - shape.spec.padding.top,
          .left = kernel.width - 1 - shape.spec.padding.left};
}

// Scratch and packed weights of a correlation.
struct CorrelationBuffers {
  CorrelationBuffers(Builder& builder, const CorrelationShape& shape, int tick)
      : scratch(builder.arena.Add(
            "map with padding",
            builder.spec.threads * shape.map_elements() * kBytes, tick)),
        weights(builder.arena.Add("weights packed",
                                  shape.weight_elements() * kBytes, tick)) {}

  static constexpr int64_t kBytes = sizeof(Bfloat16);
  Buffer* scratch;
  Buffer* weights;
};

class TileForward final : public ConvForward {
 public:
  TileForward(const ConvParts& parts, bool relu)
      : dnnl_(parts.builder.dnnl),
        shape_(parts.shape),
        correlation_(ForwardShape(shape_)),
        relu_(relu),
        source_(parts.builder, parts.input.desc, parts.input.value,
                TileMapDesc(shape_.input, shape_.images),
                parts.builder.forward_tick()),
        buffers_(parts.builder, correlation_, parts.builder.forward_tick()),
        keeps_weights_(!parts.builder.training()) {
    if (!keeps_weights_) return;
    buffers_.weights->UseAt(0);
    buffers_.weights->UseAt(parts.builder.last_tick());
  }

  Desc weights_desc() const override { return WeightsDesc(shape_.spec); }
  Desc output_desc() const override {
    return TileMapDesc(shape_.output, shape_.images);
  }
  ConvSource source() const override {
    return {TileMapDesc(shape_.input, shape_.images), source_.result()};
  }

  void Bind() override { source_.Bind(dnnl_); }

  void Run() override {
    source_(dnnl_);
    if (!keeps_weights_ || packed_ != weight_->writes) {
      Kernels().pack_weights(correlation_, weight_->value,
                             buffers_.weights->bfloats());
      packed_ = weight_->writes;
    }
    Kernels().correlate({.shape = correlation_,
                         .map = source_.result()->bfloats(),
                         .weights = buffers_.weights->bfloats(),
                         .bias = bias_->value,
                         .relu = relu_,
                         .images = shape_.images,
                         .scratch = buffers_.scratch->bfloats(),
                         .output = output_.value->bfloats()});
  }

 private:
  const Dnnl& dnnl_;
  ConvShape shape_;
  CorrelationShape correlation_;
  bool relu_;
  LayoutChange source_;
  CorrelationBuffers buffers_;
  // Inference packs the weights once, training in every step.
  bool keeps_weights_;
  int64_t packed_ = -1;
};

class TileDataGradient final : public ConvPass {
 public:
  TileDataGradient(const ConvParts& parts, const Parameter& weight,
                   const Activation& output)
      : dnnl_(parts.builder.dnnl),
        shape_(parts.shape),
        correlation_(TurnedShape(shape_)),
        weight_(weight),
        buffers_(parts.builder, correlation_,
                 parts.builder.data_gradient_tick()) {
    const int tick = parts.builder.data_gradient_tick();
    if (weight.desc != WeightsDesc(shape_.spec)) {
      reordered_ = parts.builder.arena.Add(
          "weights reordered", Bytes(WeightsDesc(shape_.spec)), tick);
    }
    output_gradient_ =
        LayoutChange(parts.builder, output.desc, output.gradient,
                     TileMapDesc(shape_.output, shape_.images), tick);
    input_gradient_ = LayoutChange::Into(
        parts.builder, TileMapDesc(shape_.input, shape_.images),
        parts.input.desc, parts.input.gradient, tick);
  }

  void Bind() override {
    output_gradient_.Bind(dnnl_);
    input_gradient_.Bind(dnnl_);
    if (!reordered_) return;
    reorder_ = Reorder(dnnl_, weight_.desc, weight_.value,
                       WeightsDesc(shape_.spec), reordered_->data);
  }

  void Run() override {
    output_gradient_(dnnl_);
    reorder_(dnnl_);
    Kernels().pack_turned_weights(
        correlation_, reordered_ ? reordered_->floats() : weight_.value,
        buffers_.weights->bfloats());
    Kernels().correlate({.shape = correlation_,
                         .map = output_gradient_.result()->bfloats(),
                         .weights = buffers_.weights->bfloats(),
                         .bias = nullptr,
                         .relu = false,
                         .images = shape_.images,
                         .scratch = buffers_.scratch->bfloats(),
                         .output = input_gradient_.source()->bfloats()});
    input_gradient_(dnnl_);
  }

 private:
  const Dnnl& dnnl_;
  ConvShape shape_;
  CorrelationShape correlation_;
  const Parameter& weight_;
  CorrelationBuffers buffers_;
  Buffer* reordered_ = nullptr;
  Call reorder_;
  LayoutChange output_gradient_, input_gradient_;
};

// Packed images that the products of all taps read again and again: what two
// cores' caches hold beside the sums.
constexpr int64_t kPackedBytes = int64_t{3} << 20;

class TileWeightGradientPass final : public ConvWeightGradient {
 public:
  TileWeightGradientPass(const ConvParts& parts, const ConvSource& source,
                         const Activation& output)
      : dnnl_(parts.builder.dnnl),
        shape_(parts.shape),
        correlation_(ForwardShape(shape_)) {
    const int tick = parts.builder.backward_tick();
    source_ = LayoutChange(parts.builder, source.desc, source.value,
                           TileMapDesc(shape_.input, shape_.images), tick);
    gradient_ = LayoutChange(parts.builder, output.desc, output.gradient,
                             TileMapDesc(shape_.output, shape_.images), tick);
    constexpr int64_t kBytes = sizeof(Bfloat16);
    const int64_t map = correlation_.map_elements() * kBytes;
    const int64_t gradient = correlation_.packed_gradient_elements() * kBytes;
    const int64_t pairs = std::min((shape_.images + 1) / 2,
                                   kPackedBytes / (2 * (map + gradient)));
    images_at_once_ = 2 * std::max<int64_t>(1, pairs);
    Arena& arena = parts.builder.arena;
    map_ = arena.Add("images packed", images_at_once_ * map, tick);
    packed_gradient_ =
        arena.Add("gradients packed", images_at_once_ * gradient, tick);
  }

  Desc weights_desc() const override { return WeightsDesc(shape_.spec); }

  void Bind() override {
    source_.Bind(dnnl_);
    gradient_.Bind(dnnl_);
  }

  void Run() override {
    source_(dnnl_);
    gradient_(dnnl_);
    Kernels().weight_gradient({.shape = correlation_,
                               .map = source_.result()->bfloats(),
                               .gradient = gradient_.result()->bfloats(),
                               .images = shape_.images,
                               .images_at_once = images_at_once_,
                               .packed_map = map_->bfloats(),
                               .packed_gradient = packed_gradient_->bfloats(),
                               .sum = weights_,
                               .bias = bias_});
  }

 private:
  const Dnnl& dnnl_;
  ConvShape shape_;
  CorrelationShape correlation_;
  int64_t images_at_once_;
  LayoutChange source_, gradient_;
  Buffer* map_;
  Buffer* packed_gradient_;
};

}  // namespace

Desc TileMapDesc(const Shape3& shape, int64_t images) {
  return Desc({images, shape.channels, shape.height, shape.width},
              dnnl::memory::data_type::bf16, dnnl::memory::format_tag::nhwc);
}

bool TilesFit(const Conv2dSpec& spec, Isa isa) {
  const int64_t stride = spec.stride.height;
  const int64_t channels = spec.in_channels * stride * stride;
  if (!TileKernelsFor(isa) || spec.groups != 1 ||
      spec.out_channels % kTileSide != 0) {
    return false;
  }
  if (stride > 1) {
    return UnitStrideKernel(spec) > 0 && kTileSide % stride == 0 &&
           channels % kTileSide == 0;
  }
  return spec.stride.width == 1 && spec.padding.top < spec.kernel.height &&
         spec.padding.left < spec.kernel.width;
}

std::unique_ptr<ConvForward> MakeTileForward(const ConvParts& parts,
                                             bool relu) {
  return std::make_unique<TileForward>(parts, relu);
}

std::unique_ptr<ConvWeightGradient> MakeTileWeightGradient(
    const ConvParts& parts, const ConvSource& source,
    const Activation& output) {
  return std::make_unique<TileWeightGradientPass>(parts, source, output);
}

std::unique_ptr<ConvPass> MakeTileDataGradient(const ConvParts& parts,
                                               const Parameter& weight,
                                               const Activation& output) {
  return std::make_unique<TileDataGradient>(parts, weight, output);
}

}  // namespace alexnet::cpu
