// SPDX-License-Identifier: MIT
// One pass of a convolution (forward, backward data or backward weights) by
// the fastest cuDNN plan that keeps our promises, or by our own kernel where
// cuDNN has none.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "engine/cuda/cudnn_descriptor.h"
#include "engine/cuda/kernels.h"

namespace alexnet::cuda {

enum class Pass { kForward, kData, kWeights };
std::string PassName(Pass pass);

// What a pass works on: out = f(a, b). Forward: y, x, w. Data: dx, dy, w.
// Weights: dw, dy, x, where dw is scratch of float32 size.
struct ConvBuffers {
  void* out = nullptr;
  const void* a = nullptr;
  const void* b = nullptr;
};

struct Workspace {
  std::byte* data = nullptr;
  int64_t bytes = 0;
};

class ConvPass {
 public:
  // What the candidates must keep to; deterministic they are always.
  struct Rules {
    bool strict = true;  // no rounding below float32
    bool exact = true;   // no Winograd, no FFT
  };

  // Finds the candidates; the workspace may not exceed `most_workspace`.
  // `layer` is for messages.
  ConvPass(cudnnHandle_t cudnn, const std::string& layer, Pass pass,
           const DirectConv& conv, Rules rules, int64_t most_workspace);

  // Takes the plan that `wanted` names; if it is empty or unknown here, times
  // all of them on these buffers. Leaves the chosen one alone.
  void Choose(cudnnHandle_t cudnn, const std::string& wanted,
              const ConvBuffers& buffers, const Workspace& workspace,
              cudaStream_t stream);

  void Run(cudnnHandle_t cudnn, const ConvBuffers& buffers,
           const Workspace& workspace, cudaStream_t stream) const;

  // Of Choose: "direct", or engine, output type and knobs.
  std::string text() const;
  int64_t workspace_bytes() const;
  // Of what Run writes: of weights it may be either.
  Type out_type() const;

 private:
  struct Candidate {
    Descriptor configuration;
    Descriptor plan;  // made of it
    std::string text;
    int64_t workspace = 0;
    Type out_type = Type::kFloat32;
  };

  void TryFloat32Weights(cudnnHandle_t cudnn, Rules rules,
                         int64_t most_workspace);
  void AddCandidates(cudnnHandle_t cudnn, Type out_type, Rules rules,
                     int64_t most_workspace);
  const Descriptor& MakeGraph(cudnnHandle_t cudnn, Type out_type);
  void AddFrom(cudnnHandle_t cudnn, const Descriptor& graph,
               cudnnBackendHeurMode_t mode, Type out_type, Rules rules,
               int64_t most_workspace);
  void Add(cudnnHandle_t cudnn, Descriptor configuration, Type out_type,
           Rules rules, int64_t most_workspace);
  void Execute(cudnnHandle_t cudnn, const Candidate& candidate,
               const ConvBuffers& buffers, const Workspace& workspace) const;
  double Time(cudnnHandle_t cudnn, const Candidate& candidate,
              const ConvBuffers& buffers, const Workspace& workspace,
              cudaStream_t stream) const;

  std::string name_;  // "features.0 forward"
  Pass pass_;
  DirectConv conv_;
  std::deque<Descriptor> kept_;        // what the plans were made of
  std::vector<Candidate> candidates_;  // after Choose one, or none: direct
};

}  // namespace alexnet::cuda
