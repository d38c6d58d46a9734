// SPDX-License-Identifier: MIT
#include "engine/cuda/parameter_place.h"

#include <algorithm>

#include "alexnet/error.h"
#include "engine/cuda/input_blocks.h"

namespace alexnet::cuda {
namespace {

// 256 bytes of float32 and 128 of bfloat16: what vector loads and tensor
// cores want.
constexpr int64_t kAlignment = 64;

int64_t Aligned(int64_t elements) {
  return (elements + kAlignment - 1) / kAlignment * kAlignment;
}

// How the input of a layer lies in memory: Flatten is only a name.
Shape3 StoredShape(const ModelSpec& model, const std::vector<LayerInfo>& layers,
                   size_t layer) {
  Shape3 shape = model.input;
  for (size_t i = 0; i < layer; ++i) {
    const LayerOp& op = model.layers[i].op;
    if (!WorksInPlace(op) && !std::holds_alternative<FlattenSpec>(op)) {
      shape = layers[i].output;
    }
  }
  return shape;
}

// Calls visit(PyTorch's index, the device's index) for every element.
template <class Visit>
void ForEachElement(const ParameterPlace& place, const Visit& visit) {
  std::vector<int64_t> taps;  // of channel 0
  for (int64_t r = 0; r < place.kernel.height; ++r) {
    for (int64_t s = 0; s < place.kernel.width; ++s) {
      taps.push_back(place.At(0, r, s));
    }
  }
  int64_t at = 0;
  for (int64_t o = 0; o < place.out; ++o) {
    const int64_t row = o * place.row_elements();
    for (int64_t c = 0; c < place.channels; ++c) {
      for (const int64_t tap : taps) visit(at++, row + tap + c);
    }
  }
}

}  // namespace

bool WorksInPlace(const LayerOp& op) {
  return std::holds_alternative<ReluSpec>(op) ||
         std::holds_alternative<DropoutSpec>(op);
}

int64_t ParameterPlace::row_elements() const {
  return BlocksIn(kernel.height, block) * BlocksIn(kernel.width, block) *
         block * block * channels;
}

int64_t ParameterPlace::At(int64_t c, int64_t r, int64_t s) const {
  const int64_t tap = r / block * BlocksIn(kernel.width, block) + s / block;
  return ((tap * block + r % block) * block + s % block) * channels + c;
}

std::vector<ParameterPlace> PlaceParameters(const ModelSpec& model) {
  const std::vector<LayerInfo> layers = InferLayers(model);
  std::vector<ParameterPlace> places;
  for (const ParameterInfo& info : Parameters(model)) {
    ParameterPlace& place = places.emplace_back();
    place.info = info;
    place.out = info.shape[0];
    if (info.shape.size() == 4) {
      place.channels = info.shape[1];
      place.kernel = {info.shape[2], info.shape[3]};
      if (info.layer == 0) place.block = BlocksOf(model).size;
    } else if (info.shape.size() == 2) {
      const Shape3 shape = StoredShape(model, layers, info.layer);
      place.channels = shape.channels;
      place.kernel = {shape.height, shape.width};
    }
    ALEXNET_CHECK(place.out * place.channels * place.kernel.height *
                      place.kernel.width ==
                  info.elements);
  }
  int64_t offset = 0;
  for (const bool frozen : {false, true}) {
    for (ParameterPlace& place : places) {
      if (place.info.frozen != frozen) continue;
      place.offset = offset;
      offset += Aligned(place.elements());
    }
  }
  return places;
}

int64_t FlatElements(const std::vector<ParameterPlace>& places) {
  int64_t elements = 0;
  for (const ParameterPlace& p : places) elements += Aligned(p.elements());
  return elements;
}

int64_t TrainedElements(const std::vector<ParameterPlace>& places) {
  int64_t elements = 0;
  for (const ParameterPlace& p : places) {
    if (!p.info.frozen) elements += Aligned(p.elements());
  }
  return elements;
}

std::vector<FlatTile> MakeTiles(const std::vector<ParameterPlace>& places) {
  std::vector<FlatTile> tiles;
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i].info.frozen) continue;
    // The gap behind a parameter is zeros, and stays so: up to there the last
    // group of four may reach.
    const int64_t elements = (places[i].elements() + 3) / 4 * 4;
    for (int64_t at = 0; at < elements; at += kTileElements) {
      const int64_t left = elements - at;
      tiles.push_back({.begin = places[i].offset + at,
                       .elements = static_cast<int32_t>(
                           std::min<int64_t>(left, kTileElements)),
                       .parameter = static_cast<int32_t>(i)});
    }
  }
  return tiles;
}

void ToDeviceLayout(const ParameterPlace& place, const float* from, float* to) {
  if (place.block > 1) std::fill_n(to, place.elements(), 0.0F);
  ForEachElement(
      place, [&](int64_t torch, int64_t device) { to[device] = from[torch]; });
}

void FromDeviceLayout(const ParameterPlace& place, const float* from,
                      float* to) {
  ForEachElement(
      place, [&](int64_t torch, int64_t device) { to[torch] = from[device]; });
}

}  // namespace alexnet::cuda
