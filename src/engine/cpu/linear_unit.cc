// SPDX-License-Identifier: MIT
// Linear + bias (+ ReLU). The weights' gradient, 94 % of the note's network, is
// never stored: the batch's inputs x and output gradients dy are kept (86 KB an
// image), and the update forms dW = dyᵀ·x tile by tile on its way through the
// parameters. Clipping by the global norm needs no dW either, since
// ‖dW‖² = Σ_ij (x_i·x_j)(dy_i·dy_j). In bfloat16 by AMX the update rounds x and
// dy; the norm, and a gradient that is asked for, are of the values as they
// were.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "alexnet/error.h"
#include "engine/cpu/linear_tiles.h"
#include "engine/cpu/units.h"

namespace alexnet::cpu {
namespace {

// Row-major C(m × n) = op(A)·op(B).
void Gemm(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k,
          const float* a, int64_t lda, const float* b, int64_t ldb, float* c,
          int64_t ldc) {
  const dnnl_status_t status = dnnl_sgemm(transpose_a, transpose_b, m, n, k, 1,
                                          a, lda, b, ldb, 0, c, ldc);
  if (status != dnnl_success) {
    throw Error(Concat("oneDNN failed to multiply matrices: status ",
                       static_cast<int>(status)));
  }
}

class LinearUnit final : public Unit {
 public:
  LinearUnit(Builder& builder, const std::string& name, const LinearSpec& spec,
             std::span<const ParameterInfo> parameters, Relu relu,
             Activation input)
      : Unit(builder, name, std::move(input)),
        in_(spec.in_features),
        out_(spec.out_features),
        relu_(relu),
        bfloat16_(builder.spec.precision == Precision::kBfloat16),
        tiles_(bfloat16_ ? LinearTileKernelsFor(SelectedIsa()) : nullptr) {
    const Desc weights = Plain({out_, in_});
    // Weights to be trained or saved stay float32.
    const bool only_bfloat16 = bfloat16_ && !builder.spec.training;
    weight_ = &builder.AddParameter(
        parameters[0], weights,
        only_bfloat16 ? Plain({out_, in_}, dnnl::memory::data_type::bf16)
                      : weights,
        Gradient::kByTiles);
    bias_ = &builder.AddParameter(parameters[1], Plain({out_}), Plain({out_}),
                                  Gradient::kStored);
    input_.value->UseAt(builder.forward_tick());
    output_ = builder.MakeActivation({out_, 1, 1}, /*flat=*/true,
                                     Plain({builder.slice, out_}));
    packed_inputs_ = builder.arena.Add("inputs packed",
                                       LinearScratchBytes(builder.slice, in_),
                                       builder.forward_tick());
    if (!builder.training()) return;
    const int tick = builder.backward_tick();
    if (relu_ == Relu::kFused) output_.value->UseAt(tick);
    if (input_.gradient) {
      input_.gradient->UseAt(tick);
      if (tiles_) {
        packed_output_ = builder.arena.Add(
            "gradients packed", LinearScratchBytes(builder.slice, out_), tick);
      }
    }
    if (!weight_->trained) return;
    batch_ = builder.slice * builder.slices;
    clips_ = builder.spec.clip_norm > 0;
  }

  void Bind() override {
    if (batch_ == 0) return;
    if (clips_) products_ = Pages(2 * batch_ * batch_ * 4);
    inputs_ = Pages(batch_ * in_ * 4);
    gradients_ = Pages(batch_ * out_ * 4);
    packed_ = Pages(PackBytes());
    packed_gradients_ = Pages(LinearScratchBytes(batch_, out_));
  }

  void Forward(const Slice& slice) override {
    const float* x = input_.value->floats();
    Multiply(slice);
    if (slice.training && batch_ > 0) {
      std::memcpy(Inputs() + slice.first * in_, x,
                  static_cast<size_t>(slice.images * in_) * sizeof(float));
    }
  }

  void Backward(const Slice& slice) override {
    float* dy = output_.gradient->floats();
    const int64_t elements = slice.images * out_;
    if (relu_ == Relu::kFused) {
      kernels_.relu_mask(output_.value->floats(), dy, elements);
    }
    if (batch_ > 0) {
      std::memcpy(Gradients() + slice.first * out_, dy,
                  static_cast<size_t>(elements) * sizeof(float));
    }
    if (!input_.gradient) return;
    float* dx = input_.gradient->floats();
    if (UseTiles(slice.images)) {
      tiles_->backward({.input_gradients = dx,
                        .gradients = dy,
                        .packed_gradients = packed_output_->data,
                        .weights = weight_->value,
                        .images = slice.images,
                        .in = in_,
                        .out = out_});
    } else {
      Gemm('N', 'N', slice.images, in_, out_, dy, out_, weight_->value, in_, dx,
           in_);
    }
    // The padding images of a short slice pass nothing on.
    const int64_t planned = Bytes(input_.desc) / 4;
    std::memset(
        dx + slice.images * in_, 0,
        static_cast<size_t>(planned - slice.images * in_) * sizeof(float));
  }

  std::optional<std::string> FinishGradients(int64_t images) override {
    if (batch_ == 0) return {};
    kernels_.sum_rows(Gradients(), images, out_, bias_->gradient);
    if (!kernels_.all_finite(bias_->gradient, out_)) return bias_->info.name;
    // |dW| is at most images · max|x| · max|dy|. Only where that bound itself
    // overflows is the gradient formed to look at it.
    const float bound = static_cast<float>(images) *
                        kernels_.max_abs(Inputs(), images * in_) *
                        kernels_.max_abs(Gradients(), images * out_);
    if (bound < std::numeric_limits<float>::max()) return {};
    std::vector<float> row(static_cast<size_t>(in_));
    for (int64_t k = 0; k < out_; ++k) {
      Gemm('T', 'N', 1, in_, images, Gradients() + k, out_, Inputs(), in_,
           row.data(), in_);
      if (!kernels_.all_finite(row.data(), in_)) return weight_->info.name;
    }
    return {};
  }

  double GradientSquares(int64_t images) override {
    if (batch_ == 0) return 0;
    auto* inputs = reinterpret_cast<float*>(products_.data());
    float* gradients = inputs + images * images;
    Gemm('N', 'T', images, images, in_, Inputs(), in_, Inputs(), in_, inputs,
         images);
    Gemm('N', 'T', images, images, out_, Gradients(), out_, Gradients(), out_,
         gradients, images);
    // Rounding may leave a tiny sum below zero.
    return std::max(0.0, kernels_.dot(inputs, gradients, images * images)) +
           kernels_.sum_squares(bias_->gradient, out_);
  }

  void Update(int64_t images, const UpdateStep& step) override {
    if (batch_ == 0) return;
    const auto update =
        UseTiles(images) ? tiles_->update : kernels_.linear_update;
    update(
        {.weights = weight_->tile(),
         .inputs = Inputs(),
         .gradients = Gradients(),
         .packed = reinterpret_cast<float*>(packed_.data()),
         .packed_gradients = reinterpret_cast<float*>(packed_gradients_.data()),
         .images = images,
         .in = in_,
         .out = out_},
        weight_->Coefficients(step));
    kernels_.update(bias_->tile(), bias_->gradient, out_,
                    bias_->Coefficients(step));
  }

  bool FormGradient(const Parameter& parameter, int64_t images,
                    std::span<float> values) override {
    if (&parameter != weight_ || batch_ == 0) return false;
    Gemm('T', 'N', out_, in_, images, Gradients(), out_, Inputs(), in_,
         values.data(), in_);
    return true;
  }

  int64_t persistent_bytes() const override {
    if (batch_ == 0) return 0;
    return batch_ * (in_ + out_) * 4 + PackBytes() +
           LinearScratchBytes(batch_, out_) +
           (clips_ ? 2 * batch_ * batch_ * 4 : 0);
  }

 private:
  bool UseTiles(int64_t images) const { return tiles_ && images >= kTileSide; }

  int64_t PackBytes() const {
    return std::max(kernels_.linear_pack_bytes(batch_, in_),
                    LinearScratchBytes(batch_, in_));
  }

  void Multiply(const Slice& slice) const {
    const bool only_bfloat16 = IsBfloat16(weight_->desc);
    const void* weights = weight_->value;
    const LinearForwardWork work = {
        .outputs = output_.value->floats(),
        .inputs = input_.value->floats(),
        .packed_inputs = packed_inputs_->data,
        .weights = only_bfloat16 ? nullptr : weight_->value,
        .weights_bf16 =
            only_bfloat16 ? static_cast<const Bfloat16*>(weights) : nullptr,
        .bias = bias_->value,
        .images = slice.images,
        .in = in_,
        .out = out_,
        .relu = relu_ == Relu::kFused};
    const auto forward = UseTiles(slice.images) ? tiles_->forward
                         : bfloat16_            ? kernels_.linear_forward_bf16
                                                : kernels_.linear_forward;
    forward(work);
  }

  float* Inputs() const { return reinterpret_cast<float*>(inputs_.data()); }
  float* Gradients() const {
    return reinterpret_cast<float*>(gradients_.data());
  }

  int64_t in_;
  int64_t out_;
  Relu relu_;
  bool bfloat16_;
  const LinearTileKernels* tiles_;   // null where it does without
  Buffer* packed_inputs_ = nullptr;  // scratch of the forward pass
  Buffer* packed_output_ = nullptr;  // and of the backward pass
  int64_t batch_ = 0;  // most images in a step; 0 where it is not trained
  bool clips_ = false;
  Parameter* weight_ = nullptr;
  Parameter* bias_ = nullptr;
  Pages inputs_;     // batch × in
  Pages gradients_;  // batch × out
  Pages products_;   // x_i·x_j, then dy_i·dy_j, of all pairs of images
  // The same again, in the order of the update's tiles.
  Pages packed_;
  Pages packed_gradients_;
};

}  // namespace

std::unique_ptr<Unit> MakeLinearUnit(Builder& builder, const std::string& name,
                                     const LinearSpec& spec,
                                     std::span<const ParameterInfo> parameters,
                                     Relu relu, Activation input) {
  return std::make_unique<LinearUnit>(builder, name, spec, parameters, relu,
                                      std::move(input));
}

}  // namespace alexnet::cpu
