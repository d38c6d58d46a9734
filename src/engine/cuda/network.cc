// SPDX-License-Identifier: MIT
#include "engine/cuda/network.h"

#include <algorithm>
#include <map>

namespace alexnet::cuda {
namespace {

int64_t Elements(const NetworkPlan& plan, size_t activation) {
  return plan.slice * plan.activations[activation].shape.elements();
}

FilterTaps TapsOf(const ParameterPlace& place) {
  return {.height = static_cast<int32_t>(place.kernel.height),
          .width = static_cast<int32_t>(place.kernel.width),
          .channels = static_cast<int32_t>(place.channels),
          .block = static_cast<int32_t>(place.block)};
}

}  // namespace

int64_t MostChannels(const NetworkPlan& plan) {
  int64_t channels = 0;
  for (const Activation& a : plan.activations) {
    channels = std::max(channels, a.shape.channels);
  }
  return channels;
}

int64_t WeightScratchElements(const NetworkPlan& plan,
                              const std::vector<ParameterPlace>& places) {
  int64_t elements = 0;
  for (const Op& op : plan.ops) {
    if (op.trained && std::holds_alternative<Conv2dSpec>(op.layer)) {
      elements = std::max(elements, places[op.weight].elements());
    }
  }
  return elements;
}

// One operation forward.
struct Network::ForwardOp {
  Network& net;
  const Op& op;
  Kernels& kernels;
  const SliceOf& slice;
  bool training;

  const Activation& in() const { return net.plan_.activations[op.source]; }
  const Activation& out() const { return net.plan_.activations[op.target]; }
  cudaStream_t stream() const { return net.context_.stream; }

  void operator()(const Conv2dSpec&) const {
    const ConvBuffers buffers = {out().value->data, in().value->data,
                                 net.Operand(op.weight)};
    kernels.forward->Run(net.context_.cudnn, buffers, net.context_.workspace,
                         stream());
    if (op.bias) Bias();
  }
  void operator()(const LinearSpec&) const {
    kernels.product->Run(net.context_.cublas, out().value->data,
                         net.Operand(op.weight), in().value->data, /*beta=*/0,
                         net.context_.workspace, stream());
    Bias();
  }
  // Our own, since cuDNN's and cuBLAS's ReLU may turn a NaN into a zero.
  BiasRelu ToAdd() const {
    return {net.parameters_.values + net.Offset(op.weight + 1), op.relu};
  }
  void Bias() const {
    const int64_t channels = out().shape.channels;
    AddBias(out().value->data, out().wide ? Type::kFloat32 : net.type_, ToAdd(),
            Elements(net.plan_, op.target) / channels, channels, stream());
  }
  void operator()(const ReluSpec&) const {
    ReluForward(out().value->data, net.type_, Elements(net.plan_, op.target),
                stream());
  }
  void operator()(const MapResponseNormSpec& norm) const {
    MapNormForward(out().value->data, in().value->data, in().shape, net.type_,
                   norm, net.plan_.slice, stream());
  }
  void operator()(const LocalResponseNormSpec& norm) const {
    NormForward(out().value->data, in().value->data, in().shape, net.type_,
                norm, net.plan_.slice, stream());
  }
  void operator()(const MaxPool2dSpec& pool) const {
    PoolForward(out().value->data, reinterpret_cast<uint8_t*>(op.argmax->data),
                out().shape, in().value->data, in().shape, net.type_, pool,
                op.bias ? ToAdd() : BiasRelu(), net.plan_.slice, stream());
  }
  void operator()(const DropoutSpec& dropout) const {
    if (!training) return;
    cuda::Dropout(out().value->data, net.type_, out().shape,
                  {.p = dropout.p, .seed = net.spec_.seed, .layer = op.index},
                  slice, stream());
  }
  void operator()(const FlattenSpec&) const {}
};

// One operation backward.
struct Network::BackwardOp {
  Network& net;
  const Op& op;
  Kernels& kernels;
  const SliceOf& slice;
  bool accumulate;

  const Activation& in() const { return net.plan_.activations[op.source]; }
  const Activation& out() const { return net.plan_.activations[op.target]; }
  void* dx() const { return in().gradient ? in().gradient->data : nullptr; }
  void* dy() const { return out().gradient->data; }
  cudaStream_t stream() const { return net.context_.stream; }
  float* Gradient(size_t parameter) const {
    return net.parameters_.gradients + net.Offset(parameter);
  }

  // dy masked by the ReLU, and the bias's gradient.
  void Bias() const {
    if (!op.trained) {
      if (op.relu) {
        ReluBackward(dy(), out().value->data, op.scale, net.type_,
                     Elements(net.plan_, op.target), stream());
      }
      return;
    }
    const int64_t channels = out().shape.channels;
    BiasGradient(Gradient(op.weight + 1), dy(),
                 op.relu ? out().value->data : nullptr, op.scale, net.type_,
                 Elements(net.plan_, op.target) / channels, channels,
                 accumulate, net.context_.bias, stream());
  }
  void operator()(const Conv2dSpec&) const {
    if (op.bias) Bias();
    const Context& c = net.context_;
    if (op.trained) {
      const ConvBuffers weights = {c.weight_scratch, dy(), in().value->data};
      kernels.weights->Run(c.cudnn, weights, c.workspace, stream());
      const ParameterPlace& place = net.places_[op.weight];
      KeepGradient(Gradient(op.weight), c.weight_scratch,
                   kernels.weights->out_type(), place.elements(), TapsOf(place),
                   accumulate, stream());
    }
    if (dx() == nullptr) return;
    const ConvBuffers data = {dx(), dy(), net.Operand(op.weight)};
    kernels.data->Run(c.cudnn, data, c.workspace, stream());
  }
  void operator()(const LinearSpec&) const {
    Bias();
    const Context& c = net.context_;
    if (op.trained) {
      kernels.weight_product->Run(c.cublas, Gradient(op.weight),
                                  in().value->data, dy(), accumulate ? 1.0F : 0,
                                  c.workspace, stream());
    }
    if (dx() == nullptr) return;
    kernels.data_product->Run(c.cublas, dx(), net.Operand(op.weight), dy(),
                              /*beta=*/0, c.workspace, stream());
  }
  void operator()(const ReluSpec&) const {
    if (dx() == nullptr) return;
    ReluBackward(dx(), in().value->data, /*scale=*/1, net.type_,
                 Elements(net.plan_, op.source), stream());
  }
  void operator()(const MapResponseNormSpec& norm) const {
    if (dx() == nullptr) return;
    MapNormBackward(dx(), dy(), in().value->data, in().shape, net.type_, norm,
                    net.plan_.slice, stream());
  }
  void operator()(const LocalResponseNormSpec& norm) const {
    if (dx() == nullptr) return;
    NormBackward(dx(), dy(), in().value->data, in().shape, net.type_, norm,
                 net.plan_.slice, stream());
  }
  void operator()(const MaxPool2dSpec& pool) const {
    if (op.bias) Bias();
    if (dx() == nullptr) return;
    PoolBackward(dx(), in().shape, dy(),
                 reinterpret_cast<const uint8_t*>(op.argmax->data), out().shape,
                 net.type_, pool, net.plan_.slice, stream());
  }
  void operator()(const DropoutSpec& dropout) const {
    if (dx() == nullptr || op.backward_in_relu) return;
    cuda::Dropout(dx(), net.type_, in().shape,
                  {.p = dropout.p, .seed = net.spec_.seed, .layer = op.index},
                  slice, stream());
  }
  void operator()(const FlattenSpec&) const {}
};

Network::Network(const EngineSpec& spec, const NetworkPlan& plan,
                 const std::vector<ParameterPlace>& places,
                 const Parameters& parameters, const Context& context)
    : spec_(spec),
      plan_(plan),
      places_(places),
      parameters_(parameters),
      context_(context),
      type_(plan.element_bytes == 2 ? Type::kBfloat16 : Type::kFloat32) {
  for (const Op& op : plan.ops) {
    Kernels& made = kernels_.emplace_back();
    if (const auto* conv = std::get_if<Conv2dSpec>(&op.layer)) {
      MakeConv(op, *conv, made);
    } else if (const auto* linear = std::get_if<LinearSpec>(&op.layer)) {
      MakeLinear(op, *linear, made);
    }
  }
}

void Network::MakeConv(const Op& op, const Conv2dSpec& conv, Kernels& made) {
  const DirectConv direct = {conv, plan_.activations[op.source].shape,
                             plan_.activations[op.target].shape, plan_.slice,
                             type_};
  const ConvPass::Rules rules = {
      .strict = spec_.precision == Precision::kFloat32,
      .exact = spec_.algorithms == Algorithms::kExact ||
               spec_.precision != Precision::kFloat32};
  const auto make = [&](Pass pass) {
    return ConvPass(context_.cudnn, op.name, pass, direct, rules,
                    kMostWorkspace);
  };
  made.forward = make(Pass::kForward);
  if (op.trained) made.weights = make(Pass::kWeights);
  if (GradientWanted(op)) made.data = make(Pass::kData);
}

void Network::MakeLinear(const Op& op, const LinearSpec& linear,
                         Kernels& made) {
  const int64_t n = plan_.slice;
  const int64_t in = linear.in_features;
  const int64_t out = linear.out_features;
  const bool wide = plan_.activations[op.target].wide;
  MatmulSpec spec = {.name = op.name + " forward",
                     .m = out,
                     .n = n,
                     .k = in,
                     .transpose_a = true,
                     .in = type_,
                     .out = wide ? Type::kFloat32 : type_,
                     .precision = spec_.precision};
  made.product.emplace(context_.cublas, spec);
  if (op.trained) {
    spec = {.name = op.name + " backward weights",
            .m = in,
            .n = out,
            .k = n,
            .transpose_b = true,
            .in = type_,
            .out = Type::kFloat32,
            .precision = spec_.precision};
    made.weight_product.emplace(context_.cublas, spec);
  }
  if (!GradientWanted(op)) return;
  spec = {.name = op.name + " backward data",
          .m = in,
          .n = n,
          .k = out,
          .in = type_,
          .out = type_,
          .precision = spec_.precision};
  made.data_product.emplace(context_.cublas, spec);
}

void Network::ChooseKernels(KernelPlan& kernels) {
  std::map<std::pair<std::string, std::string>, std::string> chosen;
  for (size_t i = 0; i < plan_.ops.size(); ++i) {
    const Op& op = plan_.ops[i];
    const Activation& in = plan_.activations[op.source];
    const Activation& out = plan_.activations[op.target];
    const auto choose = [&](Pass pass, std::optional<ConvPass>& made,
                            const ConvBuffers& buffers) {
      if (!made) return;
      made->Choose(context_.cudnn, kernels.For(op.name, PassName(pass)),
                   buffers, context_.workspace, context_.stream);
      chosen[{op.name, PassName(pass)}] = made->text();
    };
    const void* w = kernels_[i].forward ? Operand(op.weight) : nullptr;
    choose(Pass::kForward, kernels_[i].forward,
           {out.value->data, in.value->data, w});
    if (!out.gradient) continue;
    choose(Pass::kWeights, kernels_[i].weights,
           {context_.weight_scratch, out.gradient->data, in.value->data});
    choose(Pass::kData, kernels_[i].data,
           {in.gradient ? in.gradient->data : nullptr, out.gradient->data, w});
  }
  kernels.choices = std::move(chosen);
}

int64_t Network::workspace_bytes() const {
  int64_t bytes = Matmul::kWorkspaceBytes;
  for (const Kernels& kernels : kernels_) {
    for (const auto* pass :
         {&kernels.forward, &kernels.data, &kernels.weights}) {
      if (*pass) bytes = std::max(bytes, (*pass)->workspace_bytes());
    }
  }
  return bytes;
}

const void* Network::Operand(size_t parameter) const {
  return static_cast<const std::byte*>(parameters_.operands) +
         Offset(parameter) * Bytes(type_);
}

void Network::Forward(const SliceOf& slice, bool training) {
  for (size_t i = 0; i < plan_.ops.size(); ++i) {
    const Op& op = plan_.ops[i];
    std::visit(ForwardOp{*this, op, kernels_[i], slice, training}, op.layer);
  }
}

void Network::Backward(const SliceOf& slice, bool accumulate) {
  for (size_t i = plan_.ops.size(); i-- > plan_.first_trained;) {
    const Op& op = plan_.ops[i];
    std::visit(BackwardOp{*this, op, kernels_[i], slice, accumulate}, op.layer);
  }
}

}  // namespace alexnet::cuda
