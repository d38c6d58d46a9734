// SPDX-License-Identifier: MIT
// Streams, events, graphs and memory. Work is put off: it starts when the host,
// or a stream that is being waited for, needs it done.
#include <cuda_runtime_api.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <vector>

using Work = std::function<void()>;

struct HostGraph {
  std::vector<Work> nodes;
};

struct HostGraphExec : HostGraph {};

struct HostStream {
  std::deque<Work> waiting;
  int64_t done = 0;  // of all that was ever put in
  std::unique_ptr<HostGraph> captured;

  int64_t end() const { return done + std::ssize(waiting); }
  void RunTo(int64_t number) {
    while (done < number) {
      const Work work = std::move(waiting.front());
      waiting.pop_front();
      ++done;
      work();
    }
  }
};

// When it was last recorded.
struct HostEvent {
  std::shared_ptr<HostStream> stream;
  int64_t number = 0;
  std::shared_ptr<double> milliseconds = std::make_shared<double>();
  bool timed = true;

  void Wait() const {
    if (stream) stream->RunTo(number);
  }
  bool HasTime() const { return timed && stream && stream->done >= number; }
};

namespace {

// Events may outlive their stream.
std::set<std::shared_ptr<HostStream>>& Streams() {
  static std::set<std::shared_ptr<HostStream>> streams;
  return streams;
}

std::shared_ptr<HostStream> Shared(cudaStream_t stream) {
  static const auto legacy = std::make_shared<HostStream>();
  if (stream == nullptr || stream == cudaStreamLegacy) return legacy;
  for (const auto& known : Streams()) {
    if (known.get() == stream) return known;
  }
  std::abort();
}

void RunAll() {
  for (const auto& stream : Streams()) stream->RunTo(stream->end());
  const auto legacy = Shared(nullptr);
  legacy->RunTo(legacy->end());
}

double Now() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool Capturing() {
  for (const auto& stream : Streams()) {
    if (stream->captured) return true;
  }
  return false;
}

constexpr size_t kAlignment = 256;  // of cudaMalloc, as it promises

cudaError_t Allocate(void** memory, size_t bytes) {
  if (Capturing()) return cudaErrorStreamCaptureUnsupported;
  // Of the exact size, so that a sanitizer sees what goes beyond it.
  return posix_memalign(memory, kAlignment, bytes) == 0
             ? cudaSuccess
             : cudaErrorMemoryAllocation;
}

// Of large blocks the pages are given back, to come again as zeros when they
// are used: most of a workspace never is.
void Clear(void* memory, size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  if (__asan_region_is_poisoned(memory, bytes)) std::abort();
#endif
  constexpr size_t kLarge = size_t{1} << 20;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  auto* const begin = static_cast<char*>(memory);
  const size_t head = -reinterpret_cast<uintptr_t>(begin) % page;
  const size_t whole = bytes < kLarge ? 0 : (bytes - head) / page * page;
  if (whole == 0 || madvise(begin + head, whole, MADV_DONTNEED) != 0) {
    std::memset(begin, 0, bytes);
    return;
  }
  std::memset(begin, 0, head);
  std::memset(begin + head + whole, 0, bytes - head - whole);
}

}  // namespace

namespace cuda_host {

cudaError_t Enqueue(cudaStream_t stream, Work work) {
  const auto shared = Shared(stream);
  if (shared->captured) {
    shared->captured->nodes.push_back(std::move(work));
  } else {
    shared->waiting.push_back(std::move(work));
  }
  return cudaSuccess;
}

}  // namespace cuda_host

using cuda_host::Enqueue;

const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaSuccess ? "cudaSuccess" : "cudaError";
}
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorStreamCaptureUnsupported
             ? "not allowed while a stream is captured"
             : "an error of CUDA on the host";
}
cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::strcpy(properties->name, "the host as a GPU");
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 9;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() {
  if (Capturing()) return cudaErrorStreamCaptureUnsupported;
  RunAll();
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  if (flags != cudaStreamNonBlocking) return cudaErrorInvalidValue;
  *stream = Streams().insert(std::make_shared<HostStream>()).first->get();
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const auto shared = Shared(stream);
  shared->RunTo(shared->end());
  Streams().erase(shared);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const auto shared = Shared(stream);
  if (shared->captured) return cudaErrorStreamCaptureUnsupported;
  shared->RunTo(shared->end());
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  *event = new HostEvent;
  (*event)->timed = (flags & cudaEventDisableTiming) == 0;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const auto time = event->milliseconds;
  Enqueue(stream, [time] { *time = Now(); });
  event->stream = Shared(stream);
  event->number = event->stream->end();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  event->Wait();
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin,
                                 cudaEvent_t end) {
  if (!begin->HasTime() || !end->HasTime()) return cudaErrorInvalidValue;
  *milliseconds = static_cast<float>(*end->milliseconds - *begin->milliseconds);
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event,
                                unsigned) {
  return Enqueue(stream, [recorded = *event] { recorded.Wait(); });
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total) {
  const char* wanted = std::getenv("CUDA_HOST_BYTES");
  *free_bytes = *total =
      wanted != nullptr ? std::stoull(wanted) : size_t{8} << 30;
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** memory, size_t bytes) {
  return Allocate(memory, bytes);
}
cudaError_t cudaFree(void* memory) {
  RunAll();
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  return Allocate(memory, bytes);
}
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }
cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
  return cudaMemsetAsync(memory, value, bytes, nullptr);
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes,
                            cudaStream_t stream) {
  return Enqueue(stream, [=] {
    value == 0 ? Clear(memory, bytes)
               : static_cast<void>(std::memset(memory, value, bytes));
  });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes,
                            cudaMemcpyKind, cudaStream_t stream) {
  return Enqueue(stream, [=] { std::memcpy(to, from, bytes); });
}
// To the device it returns once the bytes are taken over; that they are there
// must be waited for.
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes,
                       cudaMemcpyKind kind) {
  if (Capturing()) return cudaErrorStreamCaptureUnsupported;
  if (kind == cudaMemcpyDeviceToHost) {
    cudaStreamSynchronize(nullptr);
    std::memcpy(to, from, bytes);
    return cudaSuccess;
  }
  const auto* first = static_cast<const char*>(from);
  return Enqueue(nullptr,
                 [to, taken = std::vector<char>(first, first + bytes)] {
                   std::memcpy(to, taken.data(), taken.size());
                 });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  Shared(stream)->captured = std::make_unique<HostGraph>();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = Shared(stream)->captured.release();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph,
                                 unsigned long long) {
  *made = new HostGraphExec{*graph};
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) {
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  return Enqueue(stream, [nodes = graph->nodes] {
    for (const Work& node : nodes) node();
  });
}
