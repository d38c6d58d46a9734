// SPDX-License-Identifier: MIT
#include "engine/cuda/conv_pass.h"

#include <algorithm>
#include <limits>

namespace alexnet::cuda {
namespace {

// The heuristics list the best first; beyond these few nothing was to gain
// that would pay for the time of trying.
constexpr std::ptrdiff_t kMostCandidates = 8;
constexpr int kTimedRuns = 3;

// Names of the tensors in a graph.
constexpr int64_t kOut = 1;
constexpr int64_t kA = 2;
constexpr int64_t kB = 3;

cudnnDataType_t DataType(Type type) {
  return type == Type::kFloat32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
}

// A tensor whose channels lie together: N × H × W × C for cuDNN's N, C, H, W.
Descriptor Tensor(int64_t id, int64_t n, const Shape3& shape, Type type) {
  const auto [c, h, w] = shape;
  Descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  tensor.Set(CUDNN_ATTR_TENSOR_DATA_TYPE, DataType(type))
      .Set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::array{n, c, h, w})
      .Set(CUDNN_ATTR_TENSOR_STRIDES,
           std::array<int64_t, 4>{h * w * c, 1, w * c, c})
      .Set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
      .Set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16})
      .Finalize("cuDNN tensor");
  return tensor;
}

// Padding behind the image such that exactly `out` windows fit, which may go
// beyond the spec's in ceil mode.
int64_t PaddingBehind(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                      int64_t before, int64_t given) {
  return std::max(given, (out - 1) * stride + kernel - in - before);
}

Descriptor Convolution(const DirectConv& direct) {
  const Conv2dSpec& conv = direct.conv;
  const std::array<int64_t, 2> behind = {
      PaddingBehind(direct.x.height, direct.y.height, conv.kernel.height,
                    conv.stride.height, conv.padding.top, conv.padding.bottom),
      PaddingBehind(direct.x.width, direct.y.width, conv.kernel.width,
                    conv.stride.width, conv.padding.left, conv.padding.right)};
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  Descriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  made.Set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .Set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1,
           &mode)
      .Set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
      .Set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::array<int64_t, 2>{1, 1})
      .Set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES,
           std::array{conv.stride.height, conv.stride.width})
      .Set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS,
           std::array{conv.padding.top, conv.padding.left})
      .Set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, behind)
      .Finalize("cuDNN convolution");
  return made;
}

// Which attribute of which operation is what.
struct OperationNames {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, conv, out, a, b;
};

OperationNames NamesOf(Pass pass) {
  if (pass == Pass::kForward) {
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W};
  }
  if (pass == Pass::kData) {
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W};
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X};
}

// The tensors out, a and b of a pass.
std::array<Descriptor, 3> Tensors(Pass pass, const DirectConv& direct,
                                  Type out_type) {
  const Conv2dSpec& conv = direct.conv;
  const Type type = direct.type;
  const auto x = [&](int64_t id, Type as) {
    return Tensor(id, direct.images, direct.x, as);
  };
  const auto y = [&](int64_t id, Type as) {
    return Tensor(id, direct.images, direct.y, as);
  };
  const auto w = [&](int64_t id, Type as) {
    return Tensor(
        id, conv.out_channels,
        {conv.in_channels / conv.groups, conv.kernel.height, conv.kernel.width},
        as);
  };
  switch (pass) {
    case Pass::kForward:
      return {y(kOut, out_type), x(kA, type), w(kB, type)};
    case Pass::kData:
      return {x(kOut, out_type), y(kA, type), w(kB, type)};
    case Pass::kWeights:
      break;
  }
  return {w(kOut, out_type), y(kA, type), x(kB, type)};
}

// Calls f, and tells whether the library offers what it wanted. All other
// errors are thrown on.
template <class F>
bool Offered(const F& f) {
  try {
    f();
    return true;
  } catch (const NotSupported&) {
    // A launch that was refused is remembered, and might be blamed on the next.
    cudaGetLastError();
    return false;
  }
}

// The same for one candidate among several, which may also fail in itself, as
// some of cuDNN's do on some machines; the device must have come through it.
template <class F>
bool Works(const F& f) {
  try {
    return Offered(f);
  } catch (const Failed&) {
    cudaGetLastError();
    if (cudaDeviceSynchronize() != cudaSuccess) throw;
    return false;
  }
}

// Whether what f launches on the stream can be part of a CUDA graph, as every
// step is.
template <class F>
bool CanBeCaptured(cudaStream_t stream, const F& f) {
  CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
             "capture of a cuDNN plan");
  bool launched = true;
  try {
    f();
  } catch (const Error&) {
    launched = false;
  }
  Graph graph;
  const bool captured =
      cudaStreamEndCapture(stream, graph.out()) == cudaSuccess;
  cudaGetLastError();
  return launched && captured;
}

std::vector<Descriptor> Configurations(const Descriptor& heuristic) {
  constexpr int64_t kMost = 32;
  return heuristic.GetAll(CUDNN_ATTR_ENGINEHEUR_RESULTS,
                          CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, kMost);
}

Descriptor Heuristic(const Descriptor& graph, cudnnBackendHeurMode_t mode) {
  Descriptor made(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  made.Set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
      .Set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode)
      .Finalize("cuDNN heuristic");
  return made;
}

bool Allowed(const Descriptor& engine, ConvPass::Rules rules) {
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT>
      notes{};
  int64_t count = 0;
  CHECK_CUDNN(
      cudnnBackendGetAttribute(engine.get(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                               CUDNN_TYPE_NUMERICAL_NOTE, notes.size(), &count,
                               notes.data()),
      "cuDNN engine's notes");
  const size_t known = std::min(static_cast<size_t>(count), notes.size());
  for (size_t i = 0; i < known; ++i) {
    switch (notes[i]) {
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
      // Beyond what Algorithms::kFast promises.
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        return false;
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        if (rules.strict) return false;
        break;
      case CUDNN_NUMERICAL_NOTE_FFT:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
        if (rules.exact) return false;
        break;
      default:
        break;
    }
  }
  return true;
}

// "47:2=1,10=3": the engine and its knobs, in the order that cuDNN has them.
std::string TextOf(const Descriptor& configuration, const Descriptor& engine) {
  std::string text = Concat(engine.GetInt(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), ":");
  const std::vector<Descriptor> knobs = configuration.GetAll(
      CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR,
      CUDNN_KNOB_TYPE_COUNTS);
  for (const Descriptor& knob : knobs) {
    cudnnBackendKnobType_t type{};
    int64_t count = 0;
    CHECK_CUDNN(
        cudnnBackendGetAttribute(knob.get(), CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE,
                                 CUDNN_TYPE_KNOB_TYPE, 1, &count, &type),
        "cuDNN knob");
    text += Concat(text.back() == ':' ? "" : ",", static_cast<int>(type), "=",
                   knob.GetInt(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  }
  return text;
}

}  // namespace

std::string PassName(Pass pass) {
  switch (pass) {
    case Pass::kForward:
      return "forward";
    case Pass::kData:
      return "data";
    case Pass::kWeights:
      break;
  }
  return "weights";
}

ConvPass::ConvPass(cudnnHandle_t cudnn, const std::string& layer, Pass pass,
                   const DirectConv& conv, Rules rules, int64_t most_workspace)
    : name_(Concat(layer, " ", PassName(pass))), pass_(pass), conv_(conv) {
  try {
    if (pass == Pass::kWeights && conv.type != Type::kFloat32) {
      TryFloat32Weights(cudnn, rules, most_workspace);
    }
    AddCandidates(cudnn, conv.type, rules, most_workspace);
  } catch (const Error& error) {
    // The descriptors know what they are, not what they are for.
    throw Error(Concat(name_, ": ", error.what()));
  }
}

// Weight gradients in float32 where cuDNN is no slower for it (on an H200 it
// mostly takes twice as long), else rounded once when they are summed, as
// PyTorch's are. Whatever it says of this mix of types, the other way remains.
void ConvPass::TryFloat32Weights(cudnnHandle_t cudnn, Rules rules,
                                 int64_t most_workspace) {
  try {
    AddCandidates(cudnn, Type::kFloat32, rules, most_workspace);
  } catch (const Error&) {
    cudaGetLastError();
  }
}

// The descriptors are kept: cuDNN does not promise that one which was put into
// another may go before it.
const Descriptor& ConvPass::MakeGraph(cudnnHandle_t cudnn, Type out_type) {
  const OperationNames names = NamesOf(pass_);
  std::array<Descriptor, 3> tensors = Tensors(pass_, conv_, out_type);
  Descriptor convolution = Convolution(conv_);
  Descriptor operation(names.type);
  operation.Set(names.alpha, 1.0F)
      .Set(names.beta, 0.0F)
      .Set(names.conv, convolution)
      .Set(names.out, tensors[0])
      .Set(names.a, tensors[1])
      .Set(names.b, tensors[2])
      .Finalize("cuDNN convolution operation");
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.Set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &cudnn)
      .Set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation)
      .Finalize("cuDNN graph");
  for (Descriptor& tensor : tensors) kept_.push_back(std::move(tensor));
  kept_.push_back(std::move(convolution));
  kept_.push_back(std::move(operation));
  return kept_.emplace_back(std::move(graph));
}

// What cuDNN does not support, at whatever point, is no candidate.
void ConvPass::AddCandidates(cudnnHandle_t cudnn, Type out_type, Rules rules,
                             int64_t most_workspace) {
  const size_t before = candidates_.size();
  const Descriptor* graph = nullptr;
  if (!Offered([&] { graph = &MakeGraph(cudnn, out_type); })) return;
  for (const auto mode :
       {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B, CUDNN_HEUR_MODE_FALLBACK}) {
    // The fallbacks are slow: for when there is nothing else.
    if (mode == CUDNN_HEUR_MODE_FALLBACK && candidates_.size() > before) break;
    AddFrom(cudnn, *graph, mode, out_type, rules, most_workspace);
  }
}

void ConvPass::AddFrom(cudnnHandle_t cudnn, const Descriptor& graph,
                       cudnnBackendHeurMode_t mode, Type out_type, Rules rules,
                       int64_t most_workspace) {
  std::vector<Descriptor> configurations;
  Offered([&] {
    const Descriptor& heuristic = kept_.emplace_back(Heuristic(graph, mode));
    configurations = Configurations(heuristic);
  });
  const auto same_type = [&](const Candidate& c) {
    return c.out_type == out_type;
  };
  for (Descriptor& configuration : configurations) {
    if (std::ranges::count_if(candidates_, same_type) == kMostCandidates)
      return;
    Works([&] {
      Add(cudnn, std::move(configuration), out_type, rules, most_workspace);
    });
  }
}

void ConvPass::Add(cudnnHandle_t cudnn, Descriptor configuration, Type out_type,
                   Rules rules, int64_t most_workspace) {
  const std::vector<Descriptor> engines = configuration.GetAll(
      CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
  if (engines.size() != 1 || !Allowed(engines[0], rules)) return;
  Candidate made;
  made.out_type = out_type;
  made.text = Concat(out_type == Type::kFloat32 ? "f" : "b",
                     TextOf(configuration, engines[0]));
  for (const Candidate& other : candidates_) {
    if (other.text == made.text) return;
  }
  made.plan = Descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  made.plan.Set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &cudnn)
      .Set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration)
      .Finalize("cuDNN plan");
  made.configuration = std::move(configuration);
  made.workspace = made.plan.GetInt(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  if (made.workspace <= most_workspace) candidates_.push_back(std::move(made));
}

void ConvPass::Choose(cudnnHandle_t cudnn, const std::string& wanted,
                      const ConvBuffers& buffers, const Workspace& workspace,
                      cudaStream_t stream) {
  if (wanted == "direct") {
    candidates_.clear();
    return;
  }
  auto chosen =
      std::find_if(candidates_.begin(), candidates_.end(),
                   [&](const Candidate& c) { return c.text == wanted; });
  if (chosen == candidates_.end()) {
    double best = std::numeric_limits<double>::infinity();
    for (auto at = candidates_.begin(); at != candidates_.end(); ++at) {
      const double seconds = Time(cudnn, *at, buffers, workspace, stream);
      if (seconds >= best) continue;
      best = seconds;
      chosen = at;
    }
  }
  if (chosen == candidates_.end()) {
    candidates_.clear();
    return;
  }
  Candidate kept = std::move(*chosen);
  candidates_.clear();
  candidates_.push_back(std::move(kept));
}

// Infinite for a plan that turns out not to be supported, or fails, or cannot
// be part of a graph.
double ConvPass::Time(cudnnHandle_t cudnn, const Candidate& candidate,
                      const ConvBuffers& buffers, const Workspace& workspace,
                      cudaStream_t stream) const {
  const auto execute = [&] { Execute(cudnn, candidate, buffers, workspace); };
  if (!Works(execute) || !CanBeCaptured(stream, execute)) {
    return std::numeric_limits<double>::infinity();
  }
  const std::string purpose = "timing " + name_;
  const Event begin = MakeEvent(cudaEventDefault);
  const Event end = MakeEvent(cudaEventDefault);
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kTimedRuns; ++i) {
    CHECK_CUDA(cudaEventRecord(begin.get(), stream), purpose);
    execute();
    CHECK_CUDA(cudaEventRecord(end.get(), stream), purpose);
    CHECK_CUDA(cudaEventSynchronize(end.get()), purpose);
    float milliseconds = 0;
    CHECK_CUDA(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()),
               purpose);
    best = std::min(best, static_cast<double>(milliseconds));
  }
  return best;
}

void ConvPass::Execute(cudnnHandle_t cudnn, const Candidate& candidate,
                       const ConvBuffers& buffers,
                       const Workspace& workspace) const {
  ALEXNET_CHECK(candidate.workspace <= workspace.bytes);
  const std::array<int64_t, 3> ids = {kOut, kA, kB};
  std::array<void*, 3> data = {buffers.out, const_cast<void*>(buffers.a),
                               const_cast<void*>(buffers.b)};
  void* scratch = workspace.data;
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.Set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
      .Set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3,
           data.data())
      .Set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &scratch)
      .Finalize("cuDNN variant pack");
  CHECK_CUDNN(cudnnBackendExecute(cudnn, candidate.plan.get(), pack.get()),
              Concat(name_, " by cuDNN plan ", candidate.text));
}

void ConvPass::Run(cudnnHandle_t cudnn, const ConvBuffers& buffers,
                   const Workspace& workspace, cudaStream_t stream) const {
  if (!candidates_.empty()) {
    Execute(cudnn, candidates_.front(), buffers, workspace);
  } else if (pass_ == Pass::kForward) {
    DirectForward(buffers.out, buffers.a, buffers.b, conv_, stream);
  } else if (pass_ == Pass::kData) {
    DirectBackwardData(buffers.out, buffers.a, buffers.b, conv_, stream);
  } else {
    DirectBackwardWeights(static_cast<float*>(buffers.out), buffers.a,
                          buffers.b, conv_, stream);
  }
}

std::string ConvPass::text() const {
  return candidates_.empty() ? "direct" : candidates_.front().text;
}

int64_t ConvPass::workspace_bytes() const {
  return candidates_.empty() ? 0 : candidates_.front().workspace;
}

Type ConvPass::out_type() const {
  if (!candidates_.empty()) return candidates_.front().out_type;
  return pass_ == Pass::kWeights ? Type::kFloat32 : conv_.type;
}

}  // namespace alexnet::cuda
