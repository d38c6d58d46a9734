// SPDX-License-Identifier: MIT
// The three passes of a convolution, each by oneDNN's direct kernels, by our
// Winograd ones or by AMX's tiles; conv_unit.cc puts them together.
#pragma once

#include <memory>
#include <string>

#include "engine/cpu/units.h"

namespace alexnet::cpu {

struct ConvShape {
  Conv2dSpec spec;
  int64_t images;  // of a slice
  Shape3 input;
  Shape3 output;
};

// The input as a pass reads it.
struct ConvSource {
  Desc desc;
  Buffer* value = nullptr;
};

class ConvPass {
 public:
  virtual ~ConvPass() = default;
  // Called once, when buffers and parameters have their memory.
  virtual void Bind() = 0;
  virtual void Run() = 0;
};

// output = conv(input, weights) + bias, then max(·, 0) if asked.
class ConvForward : public ConvPass {
 public:
  virtual Desc weights_desc() const = 0;
  virtual Desc output_desc() const = 0;
  // For the weights' pass.
  virtual ConvSource source() const = 0;
  void Connect(const Parameter* weight, const Parameter* bias,
               const Activation& output) {
    weight_ = weight;
    bias_ = bias;
    output_ = output;
  }

 protected:
  const Parameter* weight_ = nullptr;
  const Parameter* bias_ = nullptr;
  Activation output_;
};

// Gradients of weights and bias of one slice, from source and output gradient.
class ConvWeightGradient : public ConvPass {
 public:
  virtual Desc weights_desc() const = 0;
  // Where the results go; before Bind().
  void WriteTo(float* weights, float* bias) {
    weights_ = weights;
    bias_ = bias;
  }

 protected:
  float* weights_ = nullptr;  // in weights_desc()
  float* bias_ = nullptr;
};

// What each pass is made of.
struct ConvParts {
  Builder& builder;
  const ConvShape& shape;
  const Activation& input;
};

std::unique_ptr<ConvForward> MakeDirectForward(const ConvParts& parts,
                                               bool relu);
std::unique_ptr<ConvWeightGradient> MakeDirectWeightGradient(
    const ConvParts& parts, const ConvSource& source, const Activation& output);
// Writes input.gradient.
std::unique_ptr<ConvPass> MakeDirectDataGradient(const ConvParts& parts,
                                                 const Parameter& weight,
                                                 const Activation& output);

// Layouts of the Winograd passes: a block of lanes' channels side by side, and
// blocks of outputs × inputs, the outputs (or, transposed, the inputs) within a
// block side by side.
Desc BlockedMapDesc(const Shape3& shape, int64_t images, int64_t lanes,
                    dnnl::memory::data_type type);
Desc BlockedWeightsDesc(const Conv2dSpec& spec, int64_t lanes, bool transposed);

// Winograd needs no groups, channels that fill whole vectors, and a 3×3 or 5×5
// kernel of stride 1 with equal padding at top and left, or one that turns into
// such by taking stride × stride pixels as channels (conv_strided.cc).
bool WinogradFits(const Conv2dSpec& spec, Isa isa);

// Sides of the kernel once its stride is 1; 0 for a kernel or stride that is
// not square.
int64_t UnitStrideKernel(const Conv2dSpec& spec);

// Of stride 1. The data gradient exists for no other.
std::unique_ptr<ConvForward> MakeWinogradForward(const ConvParts& parts,
                                                 bool relu);
std::unique_ptr<ConvWeightGradient> MakeWinogradWeightGradient(
    const ConvParts& parts, const ConvSource& source, const Activation& output);
std::unique_ptr<ConvPass> MakeWinogradDataGradient(const ConvParts& parts,
                                                   const Parameter& weight,
                                                   const Activation& output);

// N × H × W × C in bfloat16, as tiles read and write maps.
Desc TileMapDesc(const Shape3& shape, int64_t images);

// Tiles need no groups, outputs that fill whole tiles, and stride 1, or one
// that can be turned into it.
bool TilesFit(const Conv2dSpec& spec, Isa isa);

// For each pass the wanted algorithm, the usual one or the direct one: the
// first of them that there is for this convolution.
ConvAlgorithms Fitting(const ConvAlgorithms& wanted,
                       const ConvAlgorithms& usual, const Conv2dSpec& spec,
                       Isa isa, Precision precision);

// In bfloat16, of stride 1; the data gradient's inputs fill whole tiles.
std::unique_ptr<ConvForward> MakeTileForward(const ConvParts& parts, bool relu);
std::unique_ptr<ConvWeightGradient> MakeTileWeightGradient(
    const ConvParts& parts, const ConvSource& source, const Activation& output);
std::unique_ptr<ConvPass> MakeTileDataGradient(const ConvParts& parts,
                                               const Parameter& weight,
                                               const Activation& output);

// Of a larger stride, by Winograd or tiles.
std::unique_ptr<ConvForward> MakeStridedForward(const ConvParts& parts,
                                                ConvAlgorithm algorithm,
                                                bool relu);
std::unique_ptr<ConvWeightGradient> MakeStridedWeightGradient(
    const ConvParts& parts, ConvAlgorithm algorithm, const ConvSource& source,
    const Activation& output);

}  // namespace alexnet::cpu
