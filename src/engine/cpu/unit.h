// SPDX-License-Identifier: MIT
// A unit is a piece of the network with its forward and backward pass fused as
// far as this engine fuses: a convolution with its ReLU, a pooling with the
// ReLU before it, a linear layer with its ReLU, and so on.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/model.h"
#include "core/arena.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/primitive.h"
#include "engine/optimizer.h"

namespace alexnet::cpu {

// What one unit hands to the next, for one slice of images.
struct Activation {
  Shape3 shape;
  bool flat = false;  // N × features rather than N × C × H × W
  Desc desc;
  Buffer* value = nullptr;
  Buffer* gradient = nullptr;  // null in inference and before the first layer
};

// x ← max(x, 0)
inline void Rectify(const Kernels& kernels, const Activation& x) {
  const int64_t n = Elements(x.desc);
  IsBfloat16(x.desc) ? kernels.relu_bf16(x.value->bfloats(), n)
                     : kernels.relu(x.value->floats(), n);
}

// The gradient, where the value is not positive, ← 0.
inline void MaskGradient(const Kernels& kernels, const Activation& y) {
  const int64_t n = Elements(y.desc);
  IsBfloat16(y.desc)
      ? kernels.relu_mask_bf16(y.value->bfloats(), y.gradient->bfloats(), n)
      : kernels.relu_mask(y.value->floats(), y.gradient->floats(), n);
}

// Of the first n values.
inline bool AllFinite(const Kernels& kernels, const Activation& x, int64_t n) {
  return IsBfloat16(x.desc) ? kernels.all_finite_bf16(x.value->bfloats(), n)
                            : kernels.all_finite(x.value->floats(), n);
}

enum class Gradient { kStored, kByTiles };

// A parameter and its optimizer state, in the layout its unit computes in.
struct Parameter {
  ParameterInfo info;
  Desc canonical;  // PyTorch's layout
  Desc desc;
  bool trained = false;  // else it has a value and nothing more
  float* value = nullptr;
  float* m = nullptr;
  float* v = nullptr;
  float* average = nullptr;
  Gradient kind = Gradient::kStored;
  float* gradient = nullptr;  // null where it is formed tile by tile
  int64_t writes = 0;  // from outside; tells what was made from it is old
  int64_t padded_elements() const { return Bytes(desc) / 4; }
  ParameterTile tile() const { return {value, m, v, average}; }
  UpdateCoefficients Coefficients(const UpdateStep& step) const {
    return MakeCoefficients(step, info.lr_multiplier, info.decay_multiplier);
  }
};

// The images being worked on.
struct Slice {
  bool training = false;
  int64_t first = 0;   // its first image's place in the batch
  int64_t images = 0;  // the rest up to the planned slice size is padding
  int64_t epoch = 0;
  std::span<const int64_t> sample_ids;  // of this slice's images
};

// What units share while they are made.
struct Builder {
  const EngineSpec& spec;
  int64_t slice;   // images worked on at once
  int64_t slices;  // most slices in a batch
  const Dnnl& dnnl;
  const Kernels& kernels;
  Arena& arena;
  std::deque<Parameter>& parameters;
  Buffer* scratchpad;  // oneDNN's; every unit raises its size
  int units = 0;       // made so far
  int unit_count = 0;  // at the end
  // True once this layer or one before it is trained: where it is not, no
  // gradient is wanted and units are planned as for inference.
  bool reached = false;

  bool training() const { return spec.training && reached; }
  // How maps are stored between convolutions, and their gradients.
  dnnl::memory::data_type map_type() const {
    return spec.precision == Precision::kBfloat16
               ? dnnl::memory::data_type::bf16
               : dnnl::memory::data_type::f32;
  }
  // The step's clock: forward through the units, the loss at unit_count, then
  // back, two ticks a unit: what it does first (the weights' gradient of a
  // convolution), and then its input's gradient, so that the scratch of one
  // can take the place of the other's.
  int forward_tick() const { return units; }
  int backward_tick() const { return unit_count + 2 * (unit_count - units); }
  int data_gradient_tick() const { return backward_tick() + 1; }
  int last_tick() const { return 3 * unit_count + 1; }
  void NeedScratchpad(const Desc& desc, int tick);
  Activation MakeActivation(const Shape3& shape, bool flat, const Desc& desc);
  Parameter& AddParameter(const ParameterInfo& info, const Desc& canonical,
                          const Desc& desc, Gradient gradient);
};

class Unit {
 public:
  virtual ~Unit() = default;
  // Called once, when every buffer and parameter has its memory.
  virtual void Bind() = 0;
  virtual void Forward(const Slice& slice) = 0;
  // Reads the output's gradient (and may overwrite it), writes the input's;
  // adds to the parameters' gradients, or sets them in the first slice.
  virtual void Backward(const Slice& slice) = 0;
  // After the last slice: completes the gradients over the batch's `images`
  // images. Returns the name of the first parameter whose gradient is not
  // finite.
  virtual std::optional<std::string> FinishGradients(int64_t) { return {}; }
  // Σ g² over the gradients of this unit, once they are finished.
  virtual double GradientSquares(int64_t) { return 0; }
  virtual void Update(int64_t, const UpdateStep&) {}
  // Forms the gradient of a parameter that does not store it, in canonical
  // layout; false if it is not one of this unit's.
  virtual bool FormGradient(const Parameter&, int64_t, std::span<float>) {
    return false;
  }
  // Bytes kept from slice to slice, beside parameters.
  virtual int64_t persistent_bytes() const { return 0; }

  const Activation& output() const { return output_; }
  const std::string& name() const { return name_; }

 protected:
  Unit(Builder& builder, std::string name, Activation input)
      : dnnl_(builder.dnnl),
        kernels_(builder.kernels),
        name_(std::move(name)),
        input_(std::move(input)) {}
  const Dnnl& dnnl_;
  const Kernels& kernels_;
  std::string name_;
  Activation input_;
  Activation output_;
};

}  // namespace alexnet::cpu
