// SPDX-License-Identifier: MIT
// Where each parameter lies in the flat arrays, and how. Plain arithmetic, no
// GPU needed.
#pragma once

#include <cstdint>
#include <vector>

#include "alexnet/model.h"
#include "engine/cuda/flat_tile.h"

namespace alexnet::cuda {

// The device's layout differs from PyTorch's: out × C × R × S there, out × R ×
// S × C here. A linear layer after a C×H×W activation has R×S = H×W, so that
// its columns follow that activation's layout. With `block` B (input_blocks.h)
// it is out × R/B × S/B × (B × B × C), with zeros for taps beyond R and S.
// Frozen parameters lie behind the trained ones: the arrays of gradients,
// moments and averages end before them.
struct ParameterPlace {
  ParameterInfo info;
  int64_t offset = 0;
  int64_t out = 1;
  int64_t channels = 1;
  Size2 kernel = {};  // R, S
  int64_t block = 1;

  // Of one output, and of all, on the device.
  int64_t row_elements() const;
  int64_t elements() const { return out * row_elements(); }
  // Where the tap (r, s) of channel c lies in its row.
  int64_t At(int64_t c, int64_t r, int64_t s) const;
};

// Whether an operation's output lies where its input does.
bool WorksInPlace(const LayerOp& op);

std::vector<ParameterPlace> PlaceParameters(const ModelSpec& model);

// Elements of the flat arrays, gaps for alignment included: of all parameters,
// and of those that are trained.
int64_t FlatElements(const std::vector<ParameterPlace>& places);
int64_t TrainedElements(const std::vector<ParameterPlace>& places);

// The trained parameters in order, cut into tiles.
std::vector<FlatTile> MakeTiles(const std::vector<ParameterPlace>& places);

// `to` in the device's layout from PyTorch's, and back. The device's has
// place.elements(), PyTorch's place.info.elements.
void ToDeviceLayout(const ParameterPlace& place, const float* from, float* to);
void FromDeviceLayout(const ParameterPlace& place, const float* from,
                      float* to);

}  // namespace alexnet::cuda
