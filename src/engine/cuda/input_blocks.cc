// SPDX-License-Identifier: MIT
#include "engine/cuda/input_blocks.h"

namespace alexnet::cuda {
namespace {

constexpr int64_t kChannelsAtOnce = 8;  // for tensor cores

}  // namespace

InputBlocks BlocksOf(const ModelSpec& model) {
  const InputBlocks none = {.image = model.input, .stored = model.input};
  if (model.layers.empty()) return none;
  const auto* conv = std::get_if<Conv2dSpec>(&model.layers[0].op);
  if (conv == nullptr || conv->groups != 1) return none;
  const int64_t size = conv->stride.height;
  const int64_t channels = size * size * conv->in_channels;
  if (size < 2 || conv->in_channels >= kChannelsAtOnce ||
      conv->stride.width != size || conv->kernel.height < size ||
      conv->kernel.width < size || channels % kChannelsAtOnce != 0) {
    return none;
  }
  const Shape3 out = InferLayers(model)[0].output;
  // Windows beyond the padding, as ceil mode has them, see zeros there, too.
  return {
      .image = model.input,
      .size = size,
      .top = conv->padding.top,
      .left = conv->padding.left,
      .stored = {channels, out.height - 1 + BlocksIn(conv->kernel.height, size),
                 out.width - 1 + BlocksIn(conv->kernel.width, size)}};
}

Conv2dSpec OverBlocks(const Conv2dSpec& conv, const InputBlocks& blocks) {
  if (blocks.size == 1) return conv;
  Conv2dSpec made = conv;
  made.in_channels = blocks.stored.channels;
  made.kernel = {BlocksIn(conv.kernel.height, blocks.size),
                 BlocksIn(conv.kernel.width, blocks.size)};
  made.stride = {1, 1};
  made.padding = {};
  return made;
}

}  // namespace alexnet::cuda
