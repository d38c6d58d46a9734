// SPDX-License-Identifier: MIT
// Convolution by Winograd's transforms (winograd.h). A block of images at a
// time is transformed, multiplied and transformed back, all threads working on
// the same block, so that what lies between stays in the shared cache.
#include <algorithm>

#include "engine/cpu/conv_pass.h"
#include "engine/cpu/layout_change.h"
#include "engine/cpu/winograd.h"

namespace alexnet::cpu {
namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

// Transformed maps of one block: measured best at 8 MiB of 4, 8 and 16.
constexpr int64_t kBlockBytes = int64_t{8} << 20;

const WinogradKernels& KernelsOf(const ConvShape& shape) {
  return *WinogradKernelsFor(SelectedIsa(), shape.spec.kernel.height);
}

// A map as the passes here read or write it.
struct MapFormat {
  Shape3 shape;
  Type type;

  Desc Blocked(int64_t images, int64_t lanes) const {
    return BlockedMapDesc(shape, images, lanes, type);
  }
  BlockedMap At(const Buffer* buffer) const {
    return {.data = buffer->data,
            .bfloat16 = type == Type::bf16,
            .channels = shape.channels,
            .height = shape.height,
            .width = shape.width};
  }
};

// The tiles of a map and how many images are worked on together.
struct Tiling {
  int64_t rows, columns, block;

  Tiling(const ConvShape& shape, const Shape3& output, int64_t m,
         int64_t planes)
      : rows((output.height + m - 1) / m), columns((output.width + m - 1) / m) {
    const int64_t bytes_per_image =
        planes * rows * columns * 4 *
        (shape.input.channels + shape.output.channels);
    block = std::clamp<int64_t>(kBlockBytes / bytes_per_image, 1, shape.images);
  }

  int64_t tiles() const { return block * rows * columns; }

  TileGrid At(int64_t first, int64_t images) const {
    return {first, std::min(block, images - first), rows, columns};
  }
};

// Correlates a map with transformed weights: the forward pass, and with the
// weights turned and transposed the backward pass to the data.
class Correlation {
 public:
  Correlation(const ConvParts& parts, const MapFormat& from,
              const MapFormat& to, int64_t padding, int tick)
      : kernels_(KernelsOf(parts.shape)),
        from_(from),
        to_(to),
        images_(parts.shape.images),
        padding_(padding),
        tiling_(parts.shape, to.shape, kernels_.tile.m,
                kernels_.tile.planes()) {
    const int64_t plane_bytes = kernels_.tile.planes() * 4;
    const int64_t inputs = from.shape.channels;
    const int64_t outputs = to.shape.channels;
    Arena& arena = parts.builder.arena;
    weights_ = arena.Add("Winograd", plane_bytes * inputs * outputs, tick);
    maps_ = arena.Add("Winograd", plane_bytes * tiling_.tiles() * inputs, tick);
    products_ =
        arena.Add("Winograd", plane_bytes * tiling_.tiles() * outputs, tick);
  }

  // Gives the transformed weights a place of their own, for all ticks.
  void KeepWeights(const Builder& builder) {
    weights_->UseAt(0);
    weights_->UseAt(builder.last_tick());
  }

  // Strides of blocks of outputs and inputs in `weights`, in elements.
  void SetWeights(const float* weights, int64_t output_stride,
                  int64_t input_stride, bool flip) {
    kernels_.transform_weights(weights, to_.shape.channels,
                               from_.shape.channels, output_stride,
                               input_stride, flip, weights_->floats());
  }

  void Run(const Buffer* from, const float* bias, bool relu,
           const Buffer* to) const {
    for (int64_t first = 0; first < images_; first += tiling_.block) {
      const TileGrid grid = tiling_.At(first, images_);
      kernels_.transform_input(from_.At(from), padding_, grid, maps_->floats());
      kernels_.multiply(maps_->floats(), weights_->floats(),
                        kernels_.tile.planes(), grid.count(),
                        from_.shape.channels, to_.shape.channels,
                        products_->floats());
      kernels_.transform_output(products_->floats(), bias, relu, grid,
                                to_.At(to));
    }
  }

 private:
  const WinogradKernels& kernels_;
  MapFormat from_, to_;
  int64_t images_;
  int64_t padding_;
  Tiling tiling_;
  Buffer* weights_;
  Buffer* maps_;
  Buffer* products_;
};

int64_t Taps(const Conv2dSpec& spec) {
  return spec.kernel.height * spec.kernel.width;
}

class WinogradForward final : public ConvForward {
 public:
  WinogradForward(const ConvParts& parts, bool relu)
      : dnnl_(parts.builder.dnnl),
        shape_(parts.shape),
        lanes_(KernelsOf(shape_).lanes),
        relu_(relu),
        from_{shape_.input, parts.input.desc.data_type()},
        to_{shape_.output, parts.builder.map_type()},
        source_(parts.builder, parts.input.desc, parts.input.value,
                from_.Blocked(shape_.images, lanes_),
                parts.builder.forward_tick()),
        correlation_(parts, from_, to_, shape_.spec.padding.top,
                     parts.builder.forward_tick()),
        keeps_weights_(!parts.builder.training()) {
    if (keeps_weights_) correlation_.KeepWeights(parts.builder);
  }

  Desc weights_desc() const override {
    return BlockedWeightsDesc(shape_.spec, lanes_, /*transposed=*/false);
  }
  Desc output_desc() const override {
    return to_.Blocked(shape_.images, lanes_);
  }
  ConvSource source() const override {
    return {from_.Blocked(shape_.images, lanes_), source_.result()};
  }

  void Bind() override { source_.Bind(dnnl_); }

  void Run() override {
    source_(dnnl_);
    if (!keeps_weights_ || transformed_ != weight_->writes) TransformWeights();
    correlation_.Run(source_.result(), bias_->value, relu_, output_.value);
  }

 private:
  void TransformWeights() {
    const int64_t input_stride = Taps(shape_.spec) * lanes_ * lanes_;
    correlation_.SetWeights(weight_->value,
                            input_stride * shape_.spec.in_channels / lanes_,
                            input_stride, /*flip=*/false);
    transformed_ = weight_->writes;
  }

  const Dnnl& dnnl_;
  ConvShape shape_;
  int lanes_;
  bool relu_;
  MapFormat from_, to_;
  LayoutChange source_;
  Correlation correlation_;
  // Inference transforms the weights once, training in every step.
  bool keeps_weights_;
  int64_t transformed_ = -1;
};

class WinogradDataGradient final : public ConvPass {
 public:
  WinogradDataGradient(const ConvParts& parts, const Parameter& weight,
                       const Activation& output)
      : dnnl_(parts.builder.dnnl),
        shape_(parts.shape),
        lanes_(KernelsOf(shape_).lanes),
        weight_(weight),
        from_{shape_.output, output.desc.data_type()},
        to_{shape_.input, parts.input.desc.data_type()},
        correlation_(parts, from_, to_,
                     shape_.spec.kernel.height - 1 - shape_.spec.padding.top,
                     parts.builder.data_gradient_tick()) {
    const int tick = parts.builder.data_gradient_tick();
    weights_ =
        parts.builder.arena.Add("weights reordered", Bytes(TurnedDesc()), tick);
    output_gradient_ = LayoutChange(parts.builder, output.desc, output.gradient,
                                    from_.Blocked(shape_.images, lanes_), tick);
    input_gradient_ =
        LayoutChange::Into(parts.builder, to_.Blocked(shape_.images, lanes_),
                           parts.input.desc, parts.input.gradient, tick);
  }

  void Bind() override {
    output_gradient_.Bind(dnnl_);
    input_gradient_.Bind(dnnl_);
    reorder_ = Reorder(dnnl_, weight_.desc, weight_.value, TurnedDesc(),
                       weights_->data);
  }

  void Run() override {
    output_gradient_(dnnl_);
    reorder_(dnnl_);
    // Outputs of this pass are the convolution's inputs.
    const int64_t block = Taps(shape_.spec) * lanes_ * lanes_;
    correlation_.SetWeights(weights_->floats(), block,
                            block * shape_.spec.in_channels / lanes_,
                            /*flip=*/true);
    correlation_.Run(output_gradient_.result(), nullptr, /*relu=*/false,
                     input_gradient_.source());
    input_gradient_(dnnl_);
  }

 private:
  Desc TurnedDesc() const {
    return BlockedWeightsDesc(shape_.spec, lanes_, /*transposed=*/true);
  }

  const Dnnl& dnnl_;
  ConvShape shape_;
  int lanes_;
  const Parameter& weight_;
  MapFormat from_, to_;
  Correlation correlation_;
  Buffer* weights_ = nullptr;
  LayoutChange output_gradient_, input_gradient_;
  Call reorder_;
};

class WinogradWeightGradient final : public ConvWeightGradient {
 public:
  WinogradWeightGradient(const ConvParts& parts, const ConvSource& source,
                         const Activation& output)
      : dnnl_(parts.builder.dnnl),
        shape_(parts.shape),
        kernels_(KernelsOf(shape_)),
        input_{shape_.input, source.desc.data_type()},
        output_{shape_.output, output.desc.data_type()},
        tiling_(shape_, shape_.output, kernels_.tile.m,
                kernels_.tile.planes()) {
    const int tick = parts.builder.backward_tick();
    const int lanes = kernels_.lanes;
    source_ = LayoutChange(parts.builder, source.desc, source.value,
                           input_.Blocked(shape_.images, lanes), tick);
    gradient_ = LayoutChange(parts.builder, output.desc, output.gradient,
                             output_.Blocked(shape_.images, lanes), tick);
    const int64_t plane_bytes = kernels_.tile.planes() * 4;
    Arena& arena = parts.builder.arena;
    maps_ =
        arena.Add("Winograd",
                  plane_bytes * tiling_.tiles() * shape_.input.channels, tick);
    gradients_ =
        arena.Add("Winograd",
                  plane_bytes * tiling_.tiles() * shape_.output.channels, tick);
    sums_ = arena.Add(
        "Winograd",
        plane_bytes * shape_.input.channels * shape_.output.channels, tick);
  }

  Desc weights_desc() const override {
    return BlockedWeightsDesc(shape_.spec, kernels_.lanes,
                              /*transposed=*/false);
  }

  void Bind() override {
    source_.Bind(dnnl_);
    gradient_.Bind(dnnl_);
  }

  void Run() override {
    source_(dnnl_);
    gradient_(dnnl_);
    const Shape3& in = shape_.input;
    const Shape3& out = shape_.output;
    const BlockedMap source = input_.At(source_.result());
    const BlockedMap gradient = output_.At(gradient_.result());
    for (int64_t first = 0; first < shape_.images; first += tiling_.block) {
      const TileGrid grid = tiling_.At(first, shape_.images);
      kernels_.transform_input(source, shape_.spec.padding.top, grid,
                               maps_->floats());
      kernels_.transform_gradient(gradient, grid, gradients_->floats());
      kernels_.multiply_transposed(maps_->floats(), gradients_->floats(),
                                   kernels_.tile.planes(), grid.count(),
                                   in.channels, out.channels,
                                   /*accumulate=*/first > 0, sums_->floats());
    }
    const int64_t block = Taps(shape_.spec) * kernels_.lanes * kernels_.lanes;
    kernels_.transform_weight_gradient(
        sums_->floats(), out.channels, in.channels,
        block * in.channels / kernels_.lanes, block, weights_);
    kernels_.sum_channels(gradient, shape_.images, bias_);
  }

 private:
  const Dnnl& dnnl_;
  ConvShape shape_;
  const WinogradKernels& kernels_;
  MapFormat input_, output_;
  Tiling tiling_;
  LayoutChange source_, gradient_;
  Buffer* maps_;
  Buffer* gradients_;
  Buffer* sums_;
};

}  // namespace

Desc BlockedMapDesc(const Shape3& shape, int64_t images, int64_t lanes,
                    Type type) {
  return Desc({images, shape.channels, shape.height, shape.width}, type,
              lanes == 16 ? Tag::nChw16c : Tag::nChw8c);
}

Desc BlockedWeightsDesc(const Conv2dSpec& spec, int64_t lanes,
                        bool transposed) {
  const Tag tag = lanes == 16 ? (transposed ? Tag::OIhw16o16i : Tag::OIhw16i16o)
                              : (transposed ? Tag::OIhw8o8i : Tag::OIhw8i8o);
  return Desc({spec.out_channels, spec.in_channels, spec.kernel.height,
               spec.kernel.width},
              Type::f32, tag);
}

int64_t UnitStrideKernel(const Conv2dSpec& spec) {
  const int64_t stride = spec.stride.height;
  if (spec.kernel.width != spec.kernel.height || spec.stride.width != stride) {
    return 0;
  }
  return (spec.kernel.height + stride - 1) / stride;
}

bool WinogradFits(const Conv2dSpec& spec, Isa isa) {
  const WinogradKernels* kernels =
      WinogradKernelsFor(isa, UnitStrideKernel(spec));
  const int64_t stride = spec.stride.height;
  if (!kernels || spec.groups != 1 ||
      spec.in_channels * stride * stride % kernels->lanes != 0 ||
      spec.out_channels % kernels->lanes != 0) {
    return false;
  }
  if (stride > 1) return kernels->lanes % stride == 0;
  return !spec.ceil_mode && spec.padding.top == spec.padding.left &&
         spec.padding.top < spec.kernel.height;
}

std::unique_ptr<ConvForward> MakeWinogradForward(const ConvParts& parts,
                                                 bool relu) {
  return std::make_unique<WinogradForward>(parts, relu);
}

std::unique_ptr<ConvWeightGradient> MakeWinogradWeightGradient(
    const ConvParts& parts, const ConvSource& source,
    const Activation& output) {
  return std::make_unique<WinogradWeightGradient>(parts, source, output);
}

std::unique_ptr<ConvPass> MakeWinogradDataGradient(const ConvParts& parts,
                                                   const Parameter& weight,
                                                   const Activation& output) {
  return std::make_unique<WinogradDataGradient>(parts, weight, output);
}

}  // namespace alexnet::cpu
