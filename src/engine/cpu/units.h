// SPDX-License-Identifier: MIT
// The units, one file each.
#pragma once

#include <memory>
#include <string>

#include "engine/cpu/unit.h"

namespace alexnet::cpu {

// What becomes of a ReLU after a convolution or linear layer.
enum class Relu {
  kNone,
  // The unit includes it, and masks its output's gradient by the sign of the
  // output, which it keeps.
  kFused,
  // A max pooling follows and does it (pool_unit.cc).
  kByPool,
};

// kTiles: bfloat16 by AMX (tiles.h).
enum class ConvAlgorithm { kDirect, kWinograd, kTiles };

struct ConvAlgorithms {
  ConvAlgorithm forward = ConvAlgorithm::kDirect;
  ConvAlgorithm backward_data = ConvAlgorithm::kDirect;
  ConvAlgorithm backward_weights = ConvAlgorithm::kDirect;
};

std::unique_ptr<Unit> MakeConvUnit(Builder& builder, const std::string& name,
                                   const Conv2dSpec& spec, const Shape3& output,
                                   std::span<const ParameterInfo> parameters,
                                   Relu relu, const ConvAlgorithms& algorithms,
                                   Activation input);

std::unique_ptr<Unit> MakePoolUnit(Builder& builder, const std::string& name,
                                   const MaxPool2dSpec& spec,
                                   const Shape3& output, bool relu,
                                   Activation input);

// For an even size the input must be in plain layout.
std::unique_ptr<Unit> MakeLrnUnit(Builder& builder, const std::string& name,
                                  const LocalResponseNormSpec& spec,
                                  Activation input);

// The input must be in plain layout.
std::unique_ptr<Unit> MakeMapNormUnit(Builder& builder, const std::string& name,
                                      const MapResponseNormSpec& spec,
                                      Activation input);

std::unique_ptr<Unit> MakeReluUnit(Builder& builder, const std::string& name,
                                   Activation input);

// Brings the values into C, H, W order; with `flat`, as one vector an image.
std::unique_ptr<Unit> MakePlainUnit(Builder& builder, const std::string& name,
                                    bool flat, Activation input);

// The input must be in plain layout. `layer` is the layer's index in
// ModelSpec::layers, part of the random counter.
std::unique_ptr<Unit> MakeDropoutUnit(Builder& builder, const std::string& name,
                                      double p, int64_t layer,
                                      Activation input);

std::unique_ptr<Unit> MakeLinearUnit(Builder& builder, const std::string& name,
                                     const LinearSpec& spec,
                                     std::span<const ParameterInfo> parameters,
                                     Relu relu, Activation input);

}  // namespace alexnet::cpu
