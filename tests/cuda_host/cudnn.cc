// SPDX-License-Identifier: MIT
// Descriptors with their attributes, and convolutions as the formula says. The
// engines offered differ in what they promise, so that a choice that breaks a
// promise of ours shows:
//   0 is exact; 1 is not deterministic, and ends the process if it is used;
//   2 rounds its inputs to TF32; 3 says that it is Winograd's; 4 is offered,
//   but then not supported; 5 fails when it is used.
#include <cuda_bf16.h>
#include <cudnn.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <vector>

struct HostCudnn {
  cudaStream_t stream = nullptr;
};

struct HostDescriptor {
  cudnnBackendDescriptorType_t type;
  bool finalized = false;
  std::map<cudnnBackendAttributeName_t, std::vector<std::byte>> values = {};
  // Of what the library fills in itself.
  const HostDescriptor* graph = nullptr;
  int engine = 0;

  template <class T, size_t n>
  bool Read(cudnnBackendAttributeName_t name, std::array<T, n>& to) const {
    const auto found = values.find(name);
    if (found == values.end() || found->second.size() != sizeof(to)) {
      return false;
    }
    std::memcpy(to.data(), found->second.data(), sizeof(to));
    return true;
  }
  // Null unless it is there, alive and finalized.
  const HostDescriptor* Part(cudnnBackendAttributeName_t name) const;
};

namespace {

constexpr int kExact = 0;
constexpr int kRandom = 1;
constexpr int kTf32 = 2;
constexpr int kWinograd = 3;
constexpr int kUnsupported = 4;
constexpr int kFailing = 5;
constexpr int kLargeTile = 6;
constexpr int kAllocating = 7;  // which a capture does not allow
constexpr size_t kWorkspace = size_t{1} << 10;

std::set<const HostDescriptor*>& Alive() {
  static std::set<const HostDescriptor*> alive;
  return alive;
}

// N, C, H, W, or K, C, R, S.
using Index = std::array<int64_t, 4>;

struct Tensor {
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  Index size = {}, stride = {};
  int64_t id = 0, alignment = 0;
  void* data = nullptr;

  bool Read(const HostDescriptor* from) {
    std::array<cudnnDataType_t, 1> types;
    std::array<int64_t, 1> ids, bytes;
    if (!from || from->type != CUDNN_BACKEND_TENSOR_DESCRIPTOR ||
        !from->Read(CUDNN_ATTR_TENSOR_DATA_TYPE, types) ||
        !from->Read(CUDNN_ATTR_TENSOR_DIMENSIONS, size) ||
        !from->Read(CUDNN_ATTR_TENSOR_STRIDES, stride) ||
        !from->Read(CUDNN_ATTR_TENSOR_UNIQUE_ID, ids) ||
        !from->Read(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, bytes)) {
      return false;
    }
    type = types[0];
    id = ids[0];
    alignment = bytes[0];
    return true;
  }
  int64_t elements() const { return size[0] * size[1] * size[2] * size[3]; }
  int64_t At(const Index& index) const {
    int64_t at = 0;
    for (size_t i = 0; i < 4; ++i) at += index[i] * stride[i];
    return at;
  }
  float Load(int64_t at) const {
    return type == CUDNN_DATA_FLOAT
               ? static_cast<const float*>(data)[at]
               : __bfloat162float(static_cast<const __nv_bfloat16*>(data)[at]);
  }
  void Store(int64_t at, float value) const {
    if (type == CUDNN_DATA_FLOAT) {
      static_cast<float*>(data)[at] = value;
    } else {
      static_cast<__nv_bfloat16*>(data)[at] = __float2bfloat16_rn(value);
    }
  }
};

float AsTf32(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x1000U) & ~0x1FFFU);
}

// The names of a kind of operation's parts.
struct Kind {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, conv, x, y, w;
  int out;  // which of x, y, w
};
constexpr Kind kKinds[] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, 1},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, 0},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, 2}};

struct Convolution {
  std::array<Tensor, 3> tensors;  // x, y, w
  int out = 0;
  std::array<int64_t, 2> stride = {}, before = {}, behind = {}, dilation = {};

  bool Read(const HostDescriptor& operation) {
    for (const Kind& kind : kKinds) {
      if (kind.type != operation.type) continue;
      out = kind.out;
      const HostDescriptor* conv = operation.Part(kind.conv);
      std::array<float, 1> alpha, beta;
      std::array<cudnnConvolutionMode_t, 1> mode;
      return conv && operation.Read(kind.alpha, alpha) && alpha[0] == 1 &&
             operation.Read(kind.beta, beta) && beta[0] == 0 &&
             conv->Read(CUDNN_ATTR_CONVOLUTION_CONV_MODE, mode) &&
             mode[0] == CUDNN_CROSS_CORRELATION &&
             tensors[0].Read(operation.Part(kind.x)) &&
             tensors[1].Read(operation.Part(kind.y)) &&
             tensors[2].Read(operation.Part(kind.w)) &&
             conv->Read(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, stride) &&
             conv->Read(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, before) &&
             conv->Read(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, behind) &&
             conv->Read(CUDNN_ATTR_CONVOLUTION_DILATIONS, dilation) &&
             dilation == std::array<int64_t, 2>{1, 1} && SizesFit();
    }
    return false;
  }

  int64_t groups() const { return tensors[0].size[1] / tensors[2].size[1]; }

  bool SizesFit() const {
    const auto& [x, y, w] = tensors;
    for (size_t i = 0; i < 2; ++i) {
      if (y.size[i + 2] !=
          (x.size[i + 2] + before[i] + behind[i] - w.size[i + 2]) / stride[i] +
              1) {
        return false;
      }
    }
    return x.size[0] == y.size[0] && y.size[1] == w.size[0] &&
           x.size[1] % w.size[1] == 0 && y.size[1] % groups() == 0;
  }

  // Calls visit(x, y, w), the places of each product's parts.
  template <class Visit>
  void ForEachProduct(const Visit& visit) const {
    const auto& [x, y, w] = tensors;
    const int64_t filters = y.size[1] / groups();
    for (int64_t n = 0; n < x.size[0]; ++n) {
      for (int64_t k = 0; k < y.size[1]; ++k) {
        for (int64_t p = 0; p < y.size[2]; ++p) {
          for (int64_t q = 0; q < y.size[3]; ++q) {
            ForEachTap(n, k, p, q, k / filters * w.size[1], visit);
          }
        }
      }
    }
  }

  template <class Visit>
  void ForEachTap(int64_t n, int64_t k, int64_t p, int64_t q, int64_t channel,
                  const Visit& visit) const {
    const auto& [x, y, w] = tensors;
    for (int64_t r = 0; r < w.size[2]; ++r) {
      const int64_t h = p * stride[0] + r - before[0];
      if (h < 0 || h >= x.size[2]) continue;
      for (int64_t s = 0; s < w.size[3]; ++s) {
        const int64_t v = q * stride[1] + s - before[1];
        if (v < 0 || v >= x.size[3]) continue;
        for (int64_t c = 0; c < w.size[1]; ++c) {
          visit(x.At({n, channel + c, h, v}), y.At({n, k, p, q}),
                w.At({k, c, r, s}));
        }
      }
    }
  }

  void Run(int engine) const {
    const auto load = [&](size_t tensor, int64_t at) {
      const float value = tensors[tensor].Load(at);
      return double{engine == kTf32 ? AsTf32(value) : value};
    };
    const Tensor& to = tensors[static_cast<size_t>(out)];
    std::vector<double> sums(static_cast<size_t>(to.elements()));
    const auto sum = [&](int64_t at) -> double& {
      return sums.at(static_cast<size_t>(at));
    };
    ForEachProduct([&](int64_t x, int64_t y, int64_t w) {
      if (out == 0) sum(x) += load(1, y) * load(2, w);
      if (out == 1) sum(y) += load(0, x) * load(2, w);
      if (out == 2) sum(w) += load(0, x) * load(1, y);
    });
    for (int64_t i = 0; i < to.elements(); ++i) {
      to.Store(i, static_cast<float>(sum(i)));
    }
  }
};

bool ReadGraph(const HostDescriptor& graph, Convolution& convolution) {
  const HostDescriptor* operation = graph.Part(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  return operation && convolution.Read(*operation);
}

cudnnStatus_t FinalizeGraph(const HostDescriptor& graph) {
  Convolution convolution;
  if (!ReadGraph(graph, convolution)) return CUDNN_STATUS_BAD_PARAM;
  return convolution.before == convolution.behind ? CUDNN_STATUS_SUCCESS
                                                  : CUDNN_STATUS_NOT_SUPPORTED;
}

std::vector<int> EnginesOf(cudnnBackendHeurMode_t mode) {
  switch (mode) {
    case CUDNN_HEUR_MODE_A:
      return {kRandom, kTf32, kExact};
    case CUDNN_HEUR_MODE_B:
      return {kWinograd,  kUnsupported, kFailing,
              kLargeTile, kAllocating,  kExact};
    case CUDNN_HEUR_MODE_FALLBACK:
      break;
  }
  return {kExact};
}

std::vector<cudnnBackendNumericalNote_t> NotesOf(int engine) {
  switch (engine) {
    case kRandom:
      return {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
    case kTf32:
      return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE,
              CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS};
    case kWinograd:
      return {CUDNN_NUMERICAL_NOTE_WINOGRAD};
    case kLargeTile:
      return {CUDNN_NUMERICAL_NOTE_WINOGRAD,
              CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6};
    default:
      return {};
  }
}

// Values of an attribute that is not a descriptor.
template <class T>
cudnnStatus_t Give(const std::vector<T>& all, int64_t most, int64_t* count,
                   void* values) {
  if (most < std::ssize(all)) return CUDNN_STATUS_BAD_PARAM;
  *count = std::ssize(all);
  std::ranges::copy(all, static_cast<T*>(values));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t GiveConfigurations(const HostDescriptor& heuristic, int64_t most,
                                 int64_t* count, void* values) {
  std::array<cudnnBackendHeurMode_t, 1> mode;
  if (!heuristic.Read(CUDNN_ATTR_ENGINEHEUR_MODE, mode)) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  auto* const made = static_cast<cudnnBackendDescriptor_t*>(values);
  *count = 0;
  for (const int engine : EnginesOf(mode[0])) {
    if (*count == most) break;
    made[*count]->finalized = true;
    made[*count]->graph = heuristic.Part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    made[*count]->engine = engine;
    ++*count;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t GivePart(const HostDescriptor& from, int64_t most, int64_t* count,
                       void* values) {
  if (most < 1) return CUDNN_STATUS_BAD_PARAM;
  auto* const made = static_cast<cudnnBackendDescriptor_t*>(values);
  made[0]->finalized = true;
  made[0]->engine = from.engine;
  *count = 1;
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

const HostDescriptor* HostDescriptor::Part(
    cudnnBackendAttributeName_t name) const {
  std::array<const HostDescriptor*, 1> part;
  if (!Read(name, part) || !Alive().contains(part[0])) return nullptr;
  return part[0]->finalized ? part[0] : nullptr;
}

size_t cudnnGetVersion() { return 0; }

const char* cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_NOT_SUPPORTED ? "not supported" : "bad use";
}

void cudnnGetLastErrorString(char* text, size_t most) {
  std::snprintf(text, most, "cuDNN on the host");
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new HostCudnn;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* made) {
  *made = new HostDescriptor{.type = type};
  Alive().insert(*made);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t made) {
  Alive().erase(made);
  delete made;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type,
                                       int64_t count, const void* values) {
  if (descriptor->finalized) return CUDNN_STATUS_BAD_PARAM;
  const bool small = type == CUDNN_TYPE_FLOAT || type == CUDNN_TYPE_DATA_TYPE ||
                     type == CUDNN_TYPE_CONVOLUTION_MODE ||
                     type == CUDNN_TYPE_HEUR_MODE;
  const auto bytes = static_cast<size_t>(count) * (small ? 4 : 8);
  const auto* first = static_cast<const std::byte*>(values);
  descriptor->values[name] = {first, first + bytes};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  if (descriptor->type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    status = FinalizeGraph(*descriptor);
  }
  if (descriptor->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    const auto* chosen =
        descriptor->Part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    if (!chosen) return CUDNN_STATUS_BAD_PARAM;
    if (chosen->engine == kUnsupported) return CUDNN_STATUS_NOT_SUPPORTED;
  }
  descriptor->finalized = status == CUDNN_STATUS_SUCCESS;
  return status;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t,
                                       int64_t most, int64_t* count,
                                       void* values) {
  if (!descriptor->finalized) return CUDNN_STATUS_BAD_PARAM;
  switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
      return GiveConfigurations(*descriptor, most, count, values);
    case CUDNN_ATTR_ENGINECFG_ENGINE:
    case CUDNN_ATTR_ENGINECFG_KNOB_CHOICES:
      return GivePart(*descriptor, most, count, values);
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
      return Give<int64_t>({descriptor->engine}, most, count, values);
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
      return Give(NotesOf(descriptor->engine), most, count, values);
    case CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE:
      return Give<cudnnBackendKnobType_t>({CUDNN_KNOB_TYPE_SPLIT_K}, most,
                                          count, values);
    case CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE:
      return Give<int64_t>({3}, most, count, values);
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
      return Give<int64_t>({kWorkspace}, most, count, values);
    default:
      return CUDNN_STATUS_BAD_PARAM;
  }
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle,
                                  cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  const auto* chosen = plan->Part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  Convolution convolution;
  std::array<int64_t, 3> ids;
  std::array<void*, 3> data;
  std::array<void*, 1> workspace;
  if (!chosen || !Alive().contains(chosen->graph) ||
      !ReadGraph(*chosen->graph, convolution) ||
      !pack->Read(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids) ||
      !pack->Read(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, data) ||
      !pack->Read(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  if (chosen->engine == kRandom) {
    std::fputs("cuDNN: an engine that is not deterministic was used\n", stderr);
    std::abort();
  }
  for (Tensor& tensor : convolution.tensors) {
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == tensor.id) tensor.data = data[i];
    }
    if (!tensor.data || reinterpret_cast<uintptr_t>(tensor.data) %
                                static_cast<uintptr_t>(tensor.alignment) !=
                            0) {
      return CUDNN_STATUS_BAD_PARAM;
    }
  }
  if (chosen->engine == kFailing) return CUDNN_STATUS_EXECUTION_FAILED;
  if (chosen->engine == kAllocating) {
    void* memory = nullptr;
    if (cudaMalloc(&memory, 1) != cudaSuccess) {
      return CUDNN_STATUS_EXECUTION_FAILED;
    }
    cudaFree(memory);
  }
  cuda_host::Enqueue(handle->stream, [=, engine = chosen->engine] {
    // Whatever lay there is gone.
    std::memset(workspace[0], 0xFF, kWorkspace);
    convolution.Run(engine);
  });
  return CUDNN_STATUS_SUCCESS;
}
