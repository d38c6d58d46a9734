// SPDX-License-Identifier: MIT
// The engine for NVIDIA GPUs: convolutions by cuDNN, products by cuBLASLt, our
// own kernels for the rest; a step is one CUDA graph, captured when the engine
// is made. Values in PyTorch's layout only at Read and Write.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "engine/batch_check.h"
#include "engine/cuda/input_tables.h"
#include "engine/cuda/network.h"
#include "engine/cuda/step_io.h"

namespace alexnet::cuda {

// Why no GPU can be used, or empty.
std::string DeviceProblem();

class CudaEngine final : public Engine {
 public:
  explicit CudaEngine(const EngineSpec& spec);
  ~CudaEngine() override;

  const EngineSpec& spec() const override { return spec_; }
  StagedImages Stage(ImageView images) override;
  Ticket TrainStep(const Batch& batch, const StepParams& step) override;
  StepResult Wait(Ticket ticket) override;
  void Infer(const Batch& batch, std::span<float> logits) override;
  void Preprocess(const Batch& batch, std::span<float> input) override;
  void Read(State state, std::string_view parameter,
            std::span<float> values) const override;
  void Write(State state, std::string_view parameter,
             std::span<const float> values) override;
  std::vector<MemoryUse> Memory() const override;
  std::string library() const override;
  std::string kernel_plan() const override { return kernels_.ToString(); }

 private:
  int64_t BytesFor(int64_t slice) const;
  int64_t slices() const {
    return (spec_.batch_size + plan_->slice - 1) / plan_->slice;
  }
  void PlanMemory();
  void Allocate();
  void AllocateState();
  void MakeNetwork();
  void ClearState();
  Context MakeContext() const;
  Parameters MakeParameters() const;
  template <class F>
  GraphExec Capture(const char* what, const F& launch);
  void LaunchInput(const SliceOf& slice);
  void LaunchTrainStep();
  void SetUpdates(const StepParams& step);
  void Send(const CheckedBatch& checked, const Batch& batch, int64_t first,
            int64_t count, const StepParams* step);
  void RunSlices(const Batch& batch, const GraphExec& graph, const float* from,
                 int64_t elements, const char* what, std::span<float> out);
  const ParameterPlace& Find(std::string_view name) const;
  const DeviceBytes& Of(State state) const {
    return state_[static_cast<size_t>(state)];
  }
  DeviceBytes& Of(State state) { return state_[static_cast<size_t>(state)]; }
  float* Values(const ParameterPlace& place, State state) const;
  void Synchronize(const char* what) const;

  EngineSpec spec_;
  std::vector<ParameterPlace> places_;
  std::vector<FlatTile> tiles_;
  std::vector<UpdateCoefficients> updates_;  // of the step being sent
  KernelPlan kernels_;
  // Before all memory: destroyed last.
  Stream stream_;
  Cudnn cudnn_;
  CublasLt cublas_;
  std::optional<NetworkPlan> plan_;
  std::array<DeviceBytes, 5> state_;  // flat, by State; empty if not kept
  DeviceBytes operands_;              // the parameters in bfloat16
  DeviceBytes arena_, workspace_;
  DeviceBytes bias_scratch_, loss_scratch_, weight_scratch_;
  DeviceBytes tile_table_, squares_;
  std::optional<InputTables> input_;
  std::optional<StepIo> io_;
  std::optional<PixelStream> pixels_;
  std::vector<DeviceBytes> staged_memory_;
  StagedSets staged_;  // of device addresses, which only kernels read
  std::optional<Network> network_;
  GraphExec train_, infer_, preprocess_;
  int64_t next_ticket_ = 0;
};

}  // namespace alexnet::cuda
