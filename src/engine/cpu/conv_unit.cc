// SPDX-License-Identifier: MIT
// Convolution + bias (+ ReLU): its passes, the ReLU's mask, the sums over
// slices and the update.
#include <cstring>

#include "engine/cpu/conv_pass.h"
#include "engine/cpu/layout_change.h"
#include "engine/cpu/tiles.h"
#include "engine/cpu/units.h"

namespace alexnet::cpu {
namespace {

std::unique_ptr<ConvForward> MakeForward(const ConvParts& parts,
                                         ConvAlgorithm algorithm, bool relu) {
  using enum ConvAlgorithm;
  if (algorithm == kDirect) return MakeDirectForward(parts, relu);
  if (parts.shape.spec.stride != Size2{1, 1}) {
    return MakeStridedForward(parts, algorithm, relu);
  }
  return algorithm == kTiles ? MakeTileForward(parts, relu)
                             : MakeWinogradForward(parts, relu);
}

std::unique_ptr<ConvWeightGradient> MakeWeightGradient(
    const ConvParts& parts, ConvAlgorithm algorithm, const ConvSource& source,
    const Activation& output) {
  using enum ConvAlgorithm;
  if (algorithm == kDirect) {
    return MakeDirectWeightGradient(parts, source, output);
  }
  if (parts.shape.spec.stride != Size2{1, 1}) {
    return MakeStridedWeightGradient(parts, algorithm, source, output);
  }
  return algorithm == kTiles
             ? MakeTileWeightGradient(parts, source, output)
             : MakeWinogradWeightGradient(parts, source, output);
}

std::unique_ptr<ConvPass> MakeDataGradient(const ConvParts& parts,
                                           ConvAlgorithm algorithm,
                                           const Parameter& weight,
                                           const Activation& output) {
  switch (algorithm) {
    case ConvAlgorithm::kDirect:
      break;
    case ConvAlgorithm::kWinograd:
      return MakeWinogradDataGradient(parts, weight, output);
    case ConvAlgorithm::kTiles:
      return MakeTileDataGradient(parts, weight, output);
  }
  return MakeDirectDataGradient(parts, weight, output);
}

class ConvUnit final : public Unit {
 public:
  ConvUnit(Builder& builder, const std::string& name, const ConvShape& shape,
           std::span<const ParameterInfo> parameters, Relu relu,
           const ConvAlgorithms& algorithms, Activation input)
      : Unit(builder, name, std::move(input)),
        relu_(relu),
        accumulates_(builder.slices > 1) {
    const ConvParts parts{builder, shape, input_};
    const bool rectify = relu == Relu::kFused;
    forward_ = MakeForward(parts, algorithms.forward, rectify);
    output_ = builder.MakeActivation(shape.output, /*flat=*/false,
                                     forward_->output_desc());
    const Desc bias = Plain({shape.spec.out_channels});
    weight_ = &builder.AddParameter(
        parameters[0], Plain(forward_->weights_desc().dims()),
        forward_->weights_desc(), Gradient::kStored);
    bias_ = &builder.AddParameter(parameters[1], bias, bias, Gradient::kStored);
    forward_->Connect(weight_, bias_, output_);
    if (builder.training()) PlanBackward(parts, algorithms);
  }

  void Bind() override {
    forward_->Bind();
    if (data_gradient_) data_gradient_->Bind();
    if (!weight_gradient_) return;
    weight_gradient_->WriteTo(
        direct_ ? weight_->gradient : partial_->floats(),
        direct_ ? bias_->gradient : partial_bias_->floats());
    weight_gradient_->Bind();
    if (!direct_) partial_out_.Bind(dnnl_);
  }

  void Forward(const Slice&) override { forward_->Run(); }

  void Backward(const Slice& slice) override {
    if (relu_ == Relu::kFused) MaskGradient(kernels_, output_);
    if (weight_gradient_) {
      weight_gradient_->Run();
      if (!direct_) AddPartialGradients(/*first=*/slice.first == 0);
    }
    if (data_gradient_) data_gradient_->Run();
  }

  std::optional<std::string> FinishGradients(int64_t) override {
    if (!weight_gradient_) return {};
    for (const Parameter* p : {weight_, bias_}) {
      if (!kernels_.all_finite(p->gradient, p->padded_elements())) {
        return p->info.name;
      }
    }
    return {};
  }

  // The padding's gradients are zero.
  double GradientSquares(int64_t) override {
    if (!weight_gradient_) return 0;
    return kernels_.sum_squares(weight_->gradient, weight_->padded_elements()) +
           kernels_.sum_squares(bias_->gradient, bias_->padded_elements());
  }

  void Update(int64_t, const UpdateStep& step) override {
    if (!weight_gradient_) return;
    for (const Parameter* p : {weight_, bias_}) {
      kernels_.update(p->tile(), p->gradient, p->padded_elements(),
                      p->Coefficients(step));
    }
  }

 private:
  void PlanBackward(const ConvParts& parts, const ConvAlgorithms& algorithms) {
    Builder& builder = parts.builder;
    const int tick = builder.backward_tick();
    if (weight_->trained) {
      weight_gradient_ = MakeWeightGradient(parts, algorithms.backward_weights,
                                            forward_->source(), output_);
    }
    if (relu_ == Relu::kFused) output_.value->UseAt(tick);
    if (input_.gradient) {
      data_gradient_ =
          MakeDataGradient(parts, algorithms.backward_data, *weight_, output_);
    }
    if (!weight_gradient_) return;
    const Desc gradient = weight_gradient_->weights_desc();
    direct_ = !accumulates_ && gradient == weight_->desc;
    if (direct_) return;
    partial_ = builder.arena.Add("gradients", Bytes(gradient), tick);
    partial_bias_ = builder.arena.Add("gradients", Bytes(bias_->desc), tick);
    partial_out_ =
        LayoutChange(builder, gradient, partial_, weight_->desc, tick);
  }

  // From the slice's sums to the batch's.
  void AddPartialGradients(bool first) {
    partial_out_(dnnl_);
    const std::pair<Parameter*, Buffer*> parts[] = {
        {weight_, partial_out_.result()}, {bias_, partial_bias_}};
    for (const auto& [parameter, partial] : parts) {
      const int64_t n = parameter->padded_elements();
      if (first) {
        std::memcpy(parameter->gradient, partial->data,
                    static_cast<size_t>(n) * sizeof(float));
      } else {
        kernels_.add(partial->floats(), parameter->gradient, n);
      }
    }
  }

  Relu relu_;
  bool accumulates_;
  bool direct_ = false;  // gradients are written to their place at once
  Parameter* weight_ = nullptr;
  Parameter* bias_ = nullptr;
  std::unique_ptr<ConvForward> forward_;
  std::unique_ptr<ConvWeightGradient> weight_gradient_;
  std::unique_ptr<ConvPass> data_gradient_;
  Buffer* partial_ = nullptr;
  Buffer* partial_bias_ = nullptr;
  LayoutChange partial_out_;
};

// Forward and to the weights.
bool Fits(ConvAlgorithm algorithm, const Conv2dSpec& spec, Isa isa,
          Precision precision) {
  switch (algorithm) {
    case ConvAlgorithm::kDirect:
      break;
    case ConvAlgorithm::kWinograd:
      return WinogradFits(spec, isa);
    case ConvAlgorithm::kTiles:
      return precision == Precision::kBfloat16 && TilesFit(spec, isa);
  }
  return true;
}

// Beyond direct convolution there is none of a larger stride; and the first
// layer, the strided one, needs none.
bool DataGradientFits(ConvAlgorithm algorithm, const Conv2dSpec& spec, Isa isa,
                      Precision precision) {
  if (algorithm == ConvAlgorithm::kDirect) return true;
  const bool whole =
      algorithm != ConvAlgorithm::kTiles || spec.in_channels % kTileSide == 0;
  return whole && spec.stride == Size2{1, 1} &&
         Fits(algorithm, spec, isa, precision);
}

}  // namespace

ConvAlgorithms Fitting(const ConvAlgorithms& wanted,
                       const ConvAlgorithms& usual, const Conv2dSpec& spec,
                       Isa isa, Precision precision) {
  const auto first = [&](auto fits, ConvAlgorithm a, ConvAlgorithm b) {
    if (fits(a, spec, isa, precision)) return a;
    return fits(b, spec, isa, precision) ? b : ConvAlgorithm::kDirect;
  };
  return {first(Fits, wanted.forward, usual.forward),
          first(DataGradientFits, wanted.backward_data, usual.backward_data),
          first(Fits, wanted.backward_weights, usual.backward_weights)};
}

std::unique_ptr<Unit> MakeConvUnit(Builder& builder, const std::string& name,
                                   const Conv2dSpec& spec, const Shape3& output,
                                   std::span<const ParameterInfo> parameters,
                                   Relu relu, const ConvAlgorithms& algorithms,
                                   Activation input) {
  const ConvShape shape{spec, builder.slice, input.shape, output};
  return std::make_unique<ConvUnit>(builder, name, shape, parameters, relu,
                                    algorithms, std::move(input));
}

}  // namespace alexnet::cpu
