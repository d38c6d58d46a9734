// SPDX-License-Identifier: MIT
// Strided convolution by Winograd or tiles: with blocks of stride × stride
// pixels taken as channels ("space to depth") it is a convolution of stride 1.
// AlexNet's first one, 11×11 with stride 4 over 3 channels, becomes 3×3 over 48
// channels on 57×57 blocks, the missing twelfth row and column of the kernel
// being zeros, and its 55×55 outputs are F(5×5, 3×3)'s tiles exactly: 27
// million multiplies an image instead of 105.
#include <cstring>

#include "alexnet/error.h"
#include "engine/cpu/conv_pass.h"
#include "engine/cpu/layout_change.h"
#include "engine/cpu/tiles.h"
#include "engine/cpu/winograd.h"

namespace alexnet::cpu {
namespace {

// Geometry of the change. Channel (c·stride + dy)·stride + dx of block (y, x)
// is channel c of the pixel (y·stride + dy − padding, x·stride + dx − padding).
struct Blocks {
  ConvShape from;  // strided
  ConvShape to;    // of stride 1, without padding
  int64_t stride;
  bool tiles;     // else Winograd
  int64_t lanes;  // of a block of channels

  Blocks(const ConvShape& shape, ConvAlgorithm algorithm)
      : from(shape),
        stride(shape.spec.stride.height),
        tiles(algorithm == ConvAlgorithm::kTiles) {
    const int64_t r = UnitStrideKernel(shape.spec);
    lanes = tiles ? kTileSide : WinogradKernelsFor(SelectedIsa(), r)->lanes;
    to.images = shape.images;
    to.input = {shape.input.channels * stride * stride,
                shape.output.height + r - 1, shape.output.width + r - 1};
    to.output = shape.output;
    to.spec = {.in_channels = to.input.channels,
               .out_channels = shape.spec.out_channels,
               .kernel = {r, r}};
  }

  Desc map_desc() const {
    if (tiles) return TileMapDesc(to.input, to.images);
    return BlockedMapDesc(to.input, to.images, lanes,
                          dnnl::memory::data_type::f32);
  }
  Desc weights_desc() const {
    return BlockedWeightsDesc(to.spec, lanes, /*transposed=*/tiles);
  }
  // Of the type of the blocks: oneDNN rounds a whole map in a third of the time
  // that rounding pixel by pixel takes while they are gathered.
  Desc plain_desc() const {
    return Plain(
        {from.images, from.input.channels, from.input.height, from.input.width},
        map_desc().data_type());
  }
  Desc plain_weights_desc() const {
    return Plain({from.spec.out_channels, from.spec.in_channels,
                  from.spec.kernel.height, from.spec.kernel.width});
  }
};

// Pixels [at, at + stride) of a row that `width` are there of, zeros outside.
template <int kStride, class Value>
void CopyPixels(const Value* row, int64_t at, int64_t width, Value* to) {
  if (row && at >= 0 && at + kStride <= width) {
    std::memcpy(to, row + at, kStride * sizeof(Value));
    return;
  }
  for (int64_t i = 0; i < kStride; ++i) {
    const bool inside = row && at + i >= 0 && at + i < width;
    to[i] = inside ? row[at + i] : Value{};
  }
}

// Where the vectors of lanes lie in a map: [n][group][y][x], or with all groups
// of a place side by side.
struct Strides {
  int64_t image, group, place;

  explicit Strides(const Blocks& b) {
    const Shape3& map = b.to.input;
    image = map.elements();
    group = b.tiles ? b.lanes : map.height * map.width * b.lanes;
    place = b.tiles ? map.channels : b.lanes;
  }
};

// Images in plain order to blocks, a vector of lanes after the other: each is
// made of as many rows of the image as runs of `stride` pixels fit into it.
template <int kStride, class Value>
void GatherBy(const Blocks& b, const Value* images, Value* blocks) {
  constexpr int64_t kMostRuns = 8;
  const Shape3& in = b.from.input;
  const Shape3& out = b.to.input;
  const Padding& padding = b.from.spec.padding;
  const int64_t runs = b.lanes / kStride;
  const int64_t groups = out.channels / b.lanes;
  const Strides strides(b);
#pragma omp parallel for collapse(3) schedule(static)
  for (int64_t n = 0; n < b.from.images; ++n) {
    for (int64_t group = 0; group < groups; ++group) {
      for (int64_t row = 0; row < out.height; ++row) {
        const Value* rows[kMostRuns];
        for (int64_t run = 0; run < runs; ++run) {
          const int64_t c = (group * runs + run) / kStride;
          const int64_t y =
              row * kStride + (group * runs + run) % kStride - padding.top;
          const bool inside = y >= 0 && y < in.height;
          rows[run] =
              inside
                  ? images + ((n * in.channels + c) * in.height + y) * in.width
                  : nullptr;
        }
        Value* to = blocks + n * strides.image + group * strides.group +
                    row * out.width * strides.place;
        for (int64_t x = 0; x < out.width; ++x, to += strides.place) {
          for (int64_t run = 0; run < runs; ++run) {
            CopyPixels<kStride>(rows[run], x * kStride - padding.left, in.width,
                                to + run * kStride);
          }
        }
      }
    }
  }
}

// WinogradFits and TilesFit admit strides that divide the lanes.
template <class Value>
void Gather(const Blocks& b, const Value* images, Value* blocks) {
  switch (b.stride) {
    case 2:
      return GatherBy<2>(b, images, blocks);
    case 4:
      return GatherBy<4>(b, images, blocks);
    case 8:
      return GatherBy<8>(b, images, blocks);
    case 16:
      return GatherBy<16>(b, images, blocks);
    default:
      ALEXNET_CHECK(false);
  }
}

// Calls visit(element of the plain weights, or −1 where the kernel is filled
// up; element of the blocked weights).
template <class Visit>
void ForEachWeight(const Blocks& b, Visit visit) {
  const Conv2dSpec& to = b.to.spec;
  const Size2& kernel = b.from.spec.kernel;
  const int64_t taps = to.kernel.height * to.kernel.width;
  for (int64_t k = 0; k < to.out_channels; ++k) {
    for (int64_t channel = 0; channel < to.in_channels; ++channel) {
      const int64_t c = channel / (b.stride * b.stride);
      const int64_t dy = channel / b.stride % b.stride;
      const int64_t dx = channel % b.stride;
      const int64_t block =
          k / b.lanes * (to.in_channels / b.lanes) + channel / b.lanes;
      const int64_t in_block = b.tiles
                                   ? k % b.lanes * b.lanes + channel % b.lanes
                                   : channel % b.lanes * b.lanes + k % b.lanes;
      for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t r = tap / to.kernel.width * b.stride + dy;
        const int64_t s = tap % to.kernel.width * b.stride + dx;
        const bool inside = r < kernel.height && s < kernel.width;
        const int64_t plain =
            ((k * b.from.spec.in_channels + c) * kernel.height + r) *
                kernel.width +
            s;
        visit(inside ? plain : -1,
              (block * taps + tap) * b.lanes * b.lanes + in_block);
      }
    }
  }
}

// The input in blocks, brought up to date by Run().
class BlockedInput {
 public:
  BlockedInput(Builder& builder, const Blocks& blocks, const ConvSource& source,
               int tick)
      : dnnl_(builder.dnnl),
        blocks_(blocks),
        plain_(builder, source.desc, source.value, blocks.plain_desc(), tick),
        map_(builder.arena.Add("pixels in blocks", Bytes(blocks.map_desc()),
                               tick)) {}

  Activation activation() const {
    return {
        .shape = blocks_.to.input, .desc = blocks_.map_desc(), .value = map_};
  }
  void Bind() { plain_.Bind(dnnl_); }
  void Run() const {
    plain_(dnnl_);
    blocks_.tiles ? Gather(blocks_, plain_.result()->bfloats(), map_->bfloats())
                  : Gather(blocks_, plain_.result()->floats(), map_->floats());
  }

 private:
  const Dnnl& dnnl_;
  Blocks blocks_;
  LayoutChange plain_;
  Buffer* map_;
};

class StridedForward final : public ConvForward {
 public:
  StridedForward(const ConvParts& parts, const Blocks& blocks, bool relu)
      : blocks_(blocks),
        original_{parts.input.desc, parts.input.value},
        input_(parts.builder, blocks, original_, parts.builder.forward_tick()),
        unit_input_(input_.activation()),
        weights_(parts.builder.arena.Add("weights reordered",
                                         Bytes(blocks.weights_desc()),
                                         parts.builder.forward_tick())),
        unit_stride_(
            UnitStride({parts.builder, blocks_.to, unit_input_}, relu)),
        keeps_weights_(!parts.builder.training()) {}

  Desc weights_desc() const override { return blocks_.plain_weights_desc(); }
  Desc output_desc() const override { return unit_stride_->output_desc(); }
  ConvSource source() const override { return original_; }

  void Bind() override {
    input_.Bind();
    unit_weight_.desc = blocks_.weights_desc();
    unit_weight_.value = weights_->floats();
    unit_stride_->Connect(&unit_weight_, bias_, output_);
    unit_stride_->Bind();
  }

  void Run() override {
    input_.Run();
    if (!keeps_weights_ || gathered_ != weight_->writes) GatherWeights();
    unit_stride_->Run();
  }

 private:
  std::unique_ptr<ConvForward> UnitStride(const ConvParts& parts,
                                          bool relu) const {
    return blocks_.tiles ? MakeTileForward(parts, relu)
                         : MakeWinogradForward(parts, relu);
  }

  void GatherWeights() {
    const float* from = weight_->value;
    float* to = unit_weight_.value;
    ForEachWeight(blocks_, [=](int64_t plain, int64_t blocked) {
      to[blocked] = plain < 0 ? 0 : from[plain];
    });
    gathered_ = unit_weight_.writes = weight_->writes;
  }

  Blocks blocks_;
  ConvSource original_;
  BlockedInput input_;
  Activation unit_input_;
  Buffer* weights_;
  Parameter unit_weight_;
  std::unique_ptr<ConvForward> unit_stride_;
  bool keeps_weights_;  // as the convolution of stride 1 does
  int64_t gathered_ = -1;
};

// Makes the blocks anew rather than keep them from the forward pass: a
// millisecond or two against 20 MB at batch 32, in bfloat16 10.
class StridedWeightGradient final : public ConvWeightGradient {
 public:
  StridedWeightGradient(const ConvParts& parts, const Blocks& blocks,
                        const ConvSource& source, const Activation& output)
      : blocks_(blocks),
        input_(parts.builder, blocks, source, parts.builder.backward_tick()),
        unit_input_(input_.activation()),
        sums_(parts.builder.arena.Add("gradients", Bytes(blocks.weights_desc()),
                                      parts.builder.backward_tick())),
        unit_stride_(
            UnitStride({parts.builder, blocks_.to, unit_input_}, output)) {}

  Desc weights_desc() const override { return blocks_.plain_weights_desc(); }

  void Bind() override {
    input_.Bind();
    unit_stride_->WriteTo(sums_->floats(), bias_);
    unit_stride_->Bind();
  }

  void Run() override {
    input_.Run();
    unit_stride_->Run();
    const float* from = sums_->floats();
    float* to = weights_;
    ForEachWeight(blocks_, [=](int64_t plain, int64_t blocked) {
      if (plain >= 0) to[plain] = from[blocked];
    });
  }

 private:
  std::unique_ptr<ConvWeightGradient> UnitStride(
      const ConvParts& parts, const Activation& output) const {
    const ConvSource source = {unit_input_.desc, unit_input_.value};
    return blocks_.tiles ? MakeTileWeightGradient(parts, source, output)
                         : MakeWinogradWeightGradient(parts, source, output);
  }

  Blocks blocks_;
  BlockedInput input_;
  Activation unit_input_;
  Buffer* sums_;
  std::unique_ptr<ConvWeightGradient> unit_stride_;
};

}  // namespace

std::unique_ptr<ConvForward> MakeStridedForward(const ConvParts& parts,
                                                ConvAlgorithm algorithm,
                                                bool relu) {
  return std::make_unique<StridedForward>(parts, Blocks(parts.shape, algorithm),
                                          relu);
}

std::unique_ptr<ConvWeightGradient> MakeStridedWeightGradient(
    const ConvParts& parts, ConvAlgorithm algorithm, const ConvSource& source,
    const Activation& output) {
  return std::make_unique<StridedWeightGradient>(
      parts, Blocks(parts.shape, algorithm), source, output);
}

}  // namespace alexnet::cpu
