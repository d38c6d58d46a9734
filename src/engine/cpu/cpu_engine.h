// SPDX-License-Identifier: MIT
// The engine for CPUs: oneDNN's convolutions in blocked layouts kept from layer
// to layer, our own kernels around them, everything planned when it is made.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "core/resize.h"
#include "engine/batch_check.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/network.h"

namespace alexnet::cpu {

class CpuEngine final : public Engine {
 public:
  explicit CpuEngine(const EngineSpec& spec);

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
  std::span<const float> View(State state,
                              std::string_view parameter) const override;
  std::vector<MemoryUse> Memory() const override { return network_->Memory(); }
  std::vector<LayerTimes> layer_times() const override {
    return network_->times();
  }
  std::string library() const override;
  std::string kernel_plan() const override { return plan_.ToString(); }

 private:
  static constexpr int64_t kTickets = 64;

  void PlanConvolutions();
  void MakeNetwork();
  Slice BeginSlice(const CheckedBatch& batch, int64_t first, bool training,
                   int64_t epoch);
  void MakeInput(const Slice& slice);
  std::optional<NonFinite> FinishGradients(int64_t images);
  double GradientNorm();
  double Loss(const Batch& batch, const Slice& slice, int64_t count,
              int64_t& correct);
  std::string FirstNonFinite(const Slice& slice);
  Parameter& Find(std::string_view name) const;
  float* Values(Parameter& parameter, State state) const;

  EngineSpec spec_;
  const Kernels& kernels_;
  Dnnl dnnl_;
  KernelPlan plan_;
  std::unique_ptr<Network> network_;
  ResizePlan resize_;
  StagedSets staged_;
  // Of the images being worked on; filled anew in each slice.
  std::vector<const uint8_t*> pixels_;
  std::vector<int64_t> sample_ids_;
  int64_t trained_images_ = 0;  // of the last step, for its gradients
  int64_t next_ticket_ = 0;
  std::array<StepResult, kTickets> results_;
};

}  // namespace alexnet::cpu
