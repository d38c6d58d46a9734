// SPDX-License-Identifier: MIT
// Carries out a NetworkPlan on the GPU: one slice forward and backward.
#pragma once

#include <optional>
#include <vector>

#include "engine/cuda/conv_pass.h"
#include "engine/cuda/kernel_plan.h"
#include "engine/cuda/matmul.h"
#include "engine/cuda/network_plan.h"

namespace alexnet::cuda {

// Handles and scratch that all operations share, one after the other.
struct Context {
  cudnnHandle_t cudnn = nullptr;
  cublasLtHandle_t cublas = nullptr;
  cudaStream_t stream = nullptr;
  Workspace workspace;
  BiasScratch bias;                 // for MostChannels
  float* weight_scratch = nullptr;  // WeightScratchElements
};

// The flat arrays of parameters.
struct Parameters {
  const float* values = nullptr;
  const void* operands = nullptr;  // as the products take them
  float* gradients = nullptr;      // of the trained ones; null for inference
};

// Of an activation.
int64_t MostChannels(const NetworkPlan& plan);
int64_t WeightScratchElements(const NetworkPlan& plan,
                              const std::vector<ParameterPlace>& places);

class Network {
 public:
  // The most that a cuDNN plan may use.
  static constexpr int64_t kMostWorkspace = int64_t{256} << 20;

  // `plan`'s buffers have their device addresses.
  Network(const EngineSpec& spec, const NetworkPlan& plan,
          const std::vector<ParameterPlace>& places,
          const Parameters& parameters, const Context& context);

  // Chooses kernels as `kernels` says, and where it says nothing by trying;
  // then it says all.
  void ChooseKernels(KernelPlan& kernels);
  int64_t workspace_bytes() const;
  void SetWorkspace(const Workspace& workspace) {
    context_.workspace = workspace;
  }

  void Forward(const SliceOf& slice, bool training);
  // From the logits' gradient down to the first layer that is trained; adds to
  // the parameters' gradients if `accumulate`.
  void Backward(const SliceOf& slice, bool accumulate);

  Type type() const { return type_; }

 private:
  // What an operation needs beside its plan.
  struct Kernels {
    std::optional<ConvPass> forward;
    std::optional<ConvPass> data;
    std::optional<ConvPass> weights;
    std::optional<Matmul> product;
    std::optional<Matmul> data_product;
    std::optional<Matmul> weight_product;
  };
  struct ForwardOp;
  struct BackwardOp;

  void MakeConv(const Op& op, const Conv2dSpec& conv, Kernels& made);
  void MakeLinear(const Op& op, const LinearSpec& linear, Kernels& made);
  bool GradientWanted(const Op& op) const {
    return plan_.activations[op.source].gradient != nullptr;
  }
  int64_t Offset(size_t parameter) const { return places_[parameter].offset; }
  const void* Operand(size_t parameter) const;

  const EngineSpec& spec_;
  const NetworkPlan& plan_;
  const std::vector<ParameterPlace>& places_;
  Parameters parameters_;
  Context context_;
  Type type_;
  std::vector<Kernels> kernels_;  // one for each op
};

}  // namespace alexnet::cuda
