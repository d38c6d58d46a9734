// SPDX-License-Identifier: MIT
#include "engine/cuda/input_tables.h"

#include <vector>

namespace alexnet::cuda {
namespace {

template <class T>
DeviceBytes OnDevice(const std::vector<T>& values, const std::string& purpose) {
  const size_t bytes = values.size() * sizeof(T);
  DeviceBytes made(static_cast<int64_t>(bytes), purpose);
  CopyToDevice(made.data(), values.data(), bytes, purpose);
  return made;
}

}  // namespace

InputTables::InputTables(const EngineSpec& spec) {
  const Shape3& target = spec.model.input;
  const ResizePlan plan({spec.source.height, spec.source.width},
                        {target.height, target.width});
  std::vector<int32_t> all;
  for (const ResizeAxis* axis : {&plan.horizontal, &plan.vertical}) {
    for (const auto* part : {&axis->first, &axis->count, &axis->weights}) {
      all.insert(all.end(), part->begin(), part->end());
    }
  }
  resize_ = OnDevice(all, "resize table");
  const auto* at = reinterpret_cast<const int32_t*>(resize_.data());
  const auto table = [&](const ResizeAxis& axis) {
    const ResizeTable made = {static_cast<int32_t>(axis.in),
                              static_cast<int32_t>(axis.out),
                              static_cast<int32_t>(axis.taps),
                              at,
                              at + axis.out,
                              at + 2 * axis.out};
    at += axis.out * (2 + axis.taps);
    return made;
  };
  input_.across = table(plan.horizontal);
  input_.down = table(plan.vertical);
  input_.blocks = {.image = target, .stored = target};
  input_.source_height = spec.source.height;
  std::vector<float> normalised;
  for (size_t c = 0; c < static_cast<size_t>(target.channels); ++c) {
    for (int byte = 0; byte < 256; ++byte) {
      normalised.push_back(Normalised(static_cast<uint8_t>(byte),
                                      spec.input.mean[c], spec.input.std[c]));
    }
  }
  normalised_ = OnDevice(normalised, "table of normalised bytes");
  input_.normalised = normalised_.floats();
}

InputSpec InputTables::As(const InputBlocks& blocks) const {
  InputSpec input = input_;
  input.blocks = blocks;
  return input;
}

InputSpec InputTables::AsImages() const { return input_; }

}  // namespace alexnet::cuda
