// SPDX-License-Identifier: MIT
// A ModelSpec turned into units, with every buffer and parameter in place.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/cpu/kernel_plan.h"
#include "engine/cpu/unit.h"

namespace alexnet::cpu {

// Where a parameter's values of this state are.
float** Place(Parameter& parameter, State state);

class Network {
 public:
  // Plans for slices of `slice` images, at most `slices` of them in a batch.
  // Allocates no large memory yet: planned_bytes() can be looked at first.
  Network(const EngineSpec& spec, int64_t slice, int64_t slices,
          const KernelPlan& plan, const Kernels& kernels);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  int64_t planned_bytes() const;
  int64_t state_bytes() const;  // of it: parameters, moments, gradients
  void Allocate();

  int64_t slice() const { return slice_; }
  int64_t slices() const { return slices_; }
  Activation& input() { return input_; }
  const Activation& logits() const { return units_.back()->output(); }
  uint8_t* resize_scratch() const {
    return reinterpret_cast<uint8_t*>(resize_scratch_->data);
  }
  const std::vector<std::unique_ptr<Unit>>& units() const { return units_; }
  const std::vector<State>& states() const { return states_; }
  const std::deque<Parameter>& parameters() const { return parameters_; }
  std::deque<Parameter>& parameters() { return parameters_; }
  std::vector<MemoryUse> Memory() const;

  void Forward(const Slice& slice);
  void Backward(const Slice& slice);
  // Applies the gradients of a batch of `images`.
  void Update(int64_t images, const UpdateStep& step);

  // Since ClearTimes().
  const std::vector<LayerTimes>& times() const { return times_; }
  void ClearTimes();

 private:
  int64_t Copies(const Parameter& p) const;
  void AddUnits(Builder& builder, const ModelSpec& model,
                const KernelPlan& plan);

  Dnnl dnnl_;
  int64_t slice_;
  int64_t slices_;
  bool training_;
  std::vector<State> states_;  // kept for each trained parameter
  size_t first_trained_ = 0;   // the first unit that gradients reach
  Arena arena_;
  Activation input_;
  Buffer* resize_scratch_ = nullptr;
  std::deque<Parameter> parameters_;
  std::vector<std::unique_ptr<Unit>> units_;
  Pages state_;                    // parameters, stored gradients, moments
  std::vector<LayerTimes> times_;  // of each unit
};

}  // namespace alexnet::cpu
