// SPDX-License-Identifier: MIT
// Max pooling, and the ReLU before it: it is monotonic, so it may as well come
// after. The winners are kept for the backward pass and say where the ReLU lets
// no gradient through; of the larger map before the pooling nothing is kept.
#include <algorithm>
#include <array>

#include "alexnet/error.h"
#include "engine/cpu/units.h"

namespace alexnet::cpu {
namespace {

using Tag = dnnl::memory::format_tag;

// How the maps of the units before lie. oneDNN 2.6 chooses no other layouts for
// its convolutions on x86-64, nor do ours.
struct MapLayout {
  Tag tag;
  int64_t lanes;  // channels side by side
};

MapLayout LayoutOf(const Desc& desc) {
  const std::array<MapLayout, 5> layouts = {{{Tag::nchw, 1},
                                             {Tag::nhwc, desc.dims()[1]},
                                             {Tag::nChw16c, 16},
                                             {Tag::nChw8c, 8},
                                             {Tag::nChw4c, 4}}};
  const auto* found =
      std::find_if(layouts.begin(), layouts.end(), [&](const MapLayout& l) {
        return desc == Desc(desc.dims(), desc.data_type(), l.tag);
      });
  ALEXNET_CHECK(found != layouts.end());
  return *found;
}

// The windows q with q · stride − padding ≤ place < q · stride − padding +
// kernel.
std::vector<PoolCover> Covers(const PoolSide& side) {
  std::vector<PoolCover> covers;
  for (int64_t place = side.padding; place < side.in + side.padding; ++place) {
    const int64_t end = std::min(place / side.stride + 1, side.out);
    const int64_t begin =
        std::max<int64_t>(place - side.kernel + side.stride, 0) / side.stride;
    covers.push_back({static_cast<int32_t>(begin), static_cast<int32_t>(end)});
  }
  return covers;
}

class PoolUnit final : public Unit {
 public:
  PoolUnit(Builder& builder, const std::string& name, const MaxPool2dSpec& spec,
           const Shape3& output, bool relu, Activation input)
      : Unit(builder, name, std::move(input)), relu_(relu) {
    const Shape3& in = input_.shape;
    const MapLayout layout = LayoutOf(input_.desc);
    const int64_t blocks = (in.channels + layout.lanes - 1) / layout.lanes;
    shape_ = {.down = {in.height, output.height, spec.kernel.height,
                       spec.stride.height, spec.padding.top},
              .across = {in.width, output.width, spec.kernel.width,
                         spec.stride.width, spec.padding.left},
              .planes = builder.slice * blocks,
              .lanes = layout.lanes,
              .bfloat16 = IsBfloat16(input_.desc)};
    input_.value->UseAt(builder.forward_tick());
    const Desc desc(
        {builder.slice, output.channels, output.height, output.width},
        input_.desc.data_type(), layout.tag);
    output_ = builder.MakeActivation(output, /*flat=*/false, desc);
    if (!input_.gradient) return;
    down_covers_ = Covers(shape_.down);
    across_covers_ = Covers(shape_.across);
    shape_.down.covers = down_covers_.data();
    shape_.across.covers = across_covers_.data();
    winners_ =
        builder.arena.Add("pooling winners",
                          Elements(desc) * (shape_.winners_are_bytes() ? 1 : 4),
                          builder.forward_tick());
    winners_->UseAt(builder.backward_tick());
    input_.gradient->UseAt(builder.backward_tick());
  }

  void Bind() override {}

  void Forward(const Slice&) override {
    kernels_.max_pool({.shape = shape_,
                       .relu = relu_,
                       .input = input_.value->data,
                       .output = output_.value->data,
                       .winners = winners_ ? winners_->data : nullptr});
  }

  void Backward(const Slice&) override {
    if (!winners_) return;
    kernels_.max_pool_gradient({.shape = shape_,
                                .output_gradient = output_.gradient->data,
                                .winners = winners_->data,
                                .input_gradient = input_.gradient->data});
  }

 private:
  bool relu_;
  MaxPoolShape shape_;
  std::vector<PoolCover> down_covers_, across_covers_;
  Buffer* winners_ = nullptr;
};

}  // namespace

std::unique_ptr<Unit> MakePoolUnit(Builder& builder, const std::string& name,
                                   const MaxPool2dSpec& spec,
                                   const Shape3& output, bool relu,
                                   Activation input) {
  return std::make_unique<PoolUnit>(builder, name, spec, output, relu,
                                    std::move(input));
}

}  // namespace alexnet::cpu
