// SPDX-License-Identifier: MIT
#include "engine/cuda/cuda_engine.h"

#include <algorithm>

#include "alexnet/error.h"

namespace alexnet::cuda {
namespace {

// For the libraries' code, loaded with their first kernels, and for others who
// use the GPU.
constexpr int64_t kReserve = int64_t{512} << 20;

// Of it, what is left when images are staged.
constexpr int64_t kReserveOfStaging = int64_t{64} << 20;

// Sums of parts, and a counter for each channel.
int64_t BiasScratchBytes(const NetworkPlan& plan) {
  return MostChannels(plan) * (kBiasParts + 1) * 4;
}

// What each image of a slice has, and a counter.
int64_t LossScratchBytes(const NetworkPlan& plan) {
  return (plan.slice + 1) * static_cast<int64_t>(sizeof(RowLoss));
}

LossScratch LossScratchAt(const DeviceBytes& memory, const NetworkPlan& plan) {
  auto* rows = reinterpret_cast<RowLoss*>(memory.data());
  return {rows, reinterpret_cast<uint32_t*>(rows + plan.slice)};
}

// The activations' memory also takes an input in float32, when no step needs
// it.
int64_t ArenaBytes(const EngineSpec& spec, const NetworkPlan& plan) {
  return std::max(plan.arena.bytes(),
                  4 * plan.slice * spec.model.input.elements());
}

std::string Gpu() {
  cudaDeviceProp properties{};
  CHECK_CUDA(cudaGetDeviceProperties(&properties, 0), "GPU");
  return properties.name;
}

}  // namespace

std::string DeviceProblem() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();  // what was found out is no error of later calls
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (driver == 0) return "there is no NVIDIA driver on this machine";
    return Concat("the NVIDIA driver is too old: it supports CUDA ",
                  driver / 1000, ".", driver % 1000 / 10, ", needed is ",
                  CUDART_VERSION / 1000, ".0");
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    return "the NVIDIA driver finds no GPU";
  }
  if (status != cudaSuccess) {
    return Concat("cudaGetDeviceCount: ", cudaGetErrorName(status), ", ",
                  cudaGetErrorString(status));
  }
  int major = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  if (major < 8) {
    return Concat("the GPU has compute capability ", major,
                  ".x, needed is 8.0 or more");
  }
  return "";
}

CudaEngine::CudaEngine(const EngineSpec& spec)
    : spec_(spec),
      places_(PlaceParameters(spec.model)),
      tiles_(spec.training ? MakeTiles(places_) : std::vector<FlatTile>()),
      updates_(places_.size()),
      kernels_(KernelPlan::Parse(spec.kernel_plan)) {
  CHECK_CUDA(cudaSetDevice(0), "GPU");
  stream_ = MakeStream();
  CHECK_CUDNN(cudnnCreate(cudnn_.out()), "cuDNN");
  CHECK_CUDNN(cudnnSetStream(cudnn_.get(), stream_.get()), "cuDNN");
  CHECK_CUBLAS(cublasLtCreate(cublas_.out()), "cuBLAS");
  PlanMemory();
  Allocate();
  input_.emplace(spec_);
  MakeNetwork();
  if (spec_.training) {
    train_ = Capture("training step", [&] { LaunchTrainStep(); });
  }
  const SliceOf slice = {io_->block(), 0, plan_->slice};
  infer_ = Capture("inference", [&] {
    LaunchInput(slice);
    network_->Forward(slice, /*training=*/false);
  });
  preprocess_ = Capture("preprocessing", [&] {
    MakeInput(arena_.data(), Type::kFloat32, input_->AsImages(), slice,
              stream_.get());
  });
  ClearState();
}

// The launches before the captures were steps without images, which may leave
// anything.
void CudaEngine::ClearState() {
  const auto clear = [&](const DeviceBytes& memory) {
    if (memory.bytes() == 0) return;
    CHECK_CUDA(
        cudaMemsetAsync(memory.data(), 0, static_cast<size_t>(memory.bytes()),
                        stream_.get()),
        "parameters");
  };
  std::ranges::for_each(state_, clear);
  clear(operands_);
  Synchronize("making the engine");
}

// The GPU may still be working on a step.
CudaEngine::~CudaEngine() { cudaStreamSynchronize(stream_.get()); }

int64_t CudaEngine::BytesFor(int64_t slice) const {
  const NetworkPlan plan(spec_, slice);
  for (const Activation& a : plan.activations) {
    if (slice * a.shape.elements() > kMostElements) return kTooMuch;
  }
  const int64_t places = (spec_.batch_size + slice - 1) / slice * slice;
  return StateBytes(spec_) + ArenaBytes(spec_, plan) + Network::kMostWorkspace +
         BiasScratchBytes(plan) + LossScratchBytes(plan) +
         4 * WeightScratchElements(plan, places_) +
         2 * spec_.batch_size * spec_.source.elements() +
         StepIo::BlockBytes({places, spec_.model.classes, std::ssize(places_)});
}

void CudaEngine::PlanMemory() {
  for (const LayerSpec& layer : spec_.model.layers) {
    const auto* pool = std::get_if<MaxPool2dSpec>(&layer.op);
    if (pool && pool->kernel.height * pool->kernel.width > 256) {
      throw Error(Concat("layer ", layer.name, ": the CUDA engine pools over ",
                         "windows of 256 values at most"));
    }
  }
  const int64_t asked =
      spec_.slice_size > 0 ? spec_.slice_size : kernels_.slice;
  kernels_.slice = spec_.slice_size =
      ChooseSlice(spec_.batch_size, asked, FreeBytes(kReserve),
                  [&](int64_t slice) { return BytesFor(slice); });
  plan_.emplace(spec_, spec_.slice_size);
  const Activation& logits = plan_->activations.back();
  if (plan_->element_bytes == 2 && !logits.wide) {
    throw Error("the CUDA engine's bf16 needs a Linear layer at the end");
  }
}

void CudaEngine::AllocateState() {
  const int64_t flat = FlatElements(places_);
  Of(State::kParameter) = DeviceBytes(flat * 4, "parameters");
  if (plan_->element_bytes == 2) {
    operands_ = DeviceBytes(flat * 2, "parameters in bfloat16");
  }
  if (!spec_.training) return;
  const int64_t bytes = TrainedElements(places_) * 4;
  Of(State::kGradient) = DeviceBytes(bytes, "gradients");
  for (const State state : TrainingStates(spec_)) {
    Of(state) = DeviceBytes(bytes, "optimizer state");
  }
  const std::string table = "table of the parameters";
  const size_t table_bytes = tiles_.size() * sizeof(FlatTile);
  tile_table_ = DeviceBytes(static_cast<int64_t>(table_bytes), table);
  CopyToDevice(tile_table_.data(), tiles_.data(), table_bytes, table);
  if (spec_.clip_norm > 0) {
    squares_ = DeviceBytes(std::ssize(tiles_) * 8, "squares of the gradients");
  }
}

void CudaEngine::Allocate() {
  AllocateState();
  arena_ = DeviceBytes(ArenaBytes(spec_, *plan_), "activations");
  workspace_ = DeviceBytes(Network::kMostWorkspace, "workspace");
  bias_scratch_ = DeviceBytes(BiasScratchBytes(*plan_), "scratch");
  loss_scratch_ = DeviceBytes(LossScratchBytes(*plan_), "scratch");
  weight_scratch_ =
      DeviceBytes(4 * WeightScratchElements(*plan_, places_), "scratch");
  io_.emplace(StepIo::Sizes{slices() * plan_->slice, spec_.model.classes,
                            std::ssize(places_)});
  pixels_.emplace(spec_.batch_size, spec_.source.elements());
  for (Activation& a : plan_->activations) {
    a.value->data = arena_.data() + a.value->offset;
    if (a.gradient) a.gradient->data = arena_.data() + a.gradient->offset;
  }
  for (Op& op : plan_->ops) {
    if (op.argmax) op.argmax->data = arena_.data() + op.argmax->offset;
  }
}

Context CudaEngine::MakeContext() const {
  return {
      .cudnn = cudnn_.get(),
      .cublas = cublas_.get(),
      .stream = stream_.get(),
      .workspace = {workspace_.data(), workspace_.bytes()},
      .bias = {bias_scratch_.floats(),
               reinterpret_cast<uint32_t*>(bias_scratch_.floats() +
                                           MostChannels(*plan_) * kBiasParts)},
      .weight_scratch = weight_scratch_.floats()};
}

Parameters CudaEngine::MakeParameters() const {
  return {.values = Of(State::kParameter).floats(),
          .operands = operands_.data() ? operands_.data()
                                       : Of(State::kParameter).data(),
          .gradients = Of(State::kGradient).floats()};
}

// The kernels are chosen with all the workspace that a plan may want; then
// what none of them wants is given back.
void CudaEngine::MakeNetwork() {
  network_.emplace(spec_, *plan_, places_, MakeParameters(), MakeContext());
  network_->ChooseKernels(kernels_);
  Synchronize("choosing kernels");
  workspace_ = {};
  workspace_ = DeviceBytes(network_->workspace_bytes(), "workspace");
  network_->SetWorkspace({workspace_.data(), workspace_.bytes()});
}

template <class F>
GraphExec CudaEngine::Capture(const char* what, const F& launch) {
  launch();  // loads every kernel, which a capture may not
  Synchronize(what);
  CHECK_CUDA(
      cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal),
      what);
  Graph graph;
  try {
    launch();
  } catch (...) {
    cudaStreamEndCapture(stream_.get(), graph.out());
    throw;
  }
  CHECK_CUDA(cudaStreamEndCapture(stream_.get(), graph.out()), what);
  GraphExec made;
  CHECK_CUDA(cudaGraphInstantiate(made.out(), graph.get(), 0), what);
  CHECK_CUDA(cudaGraphUpload(made.get(), stream_.get()), what);
  return made;
}

void CudaEngine::LaunchInput(const SliceOf& slice) {
  MakeInput(plan_->activations[0].value->data, network_->type(),
            input_->As(plan_->input), slice, stream_.get());
}

void CudaEngine::LaunchTrainStep() {
  const StepBlock step = io_->block();
  const cudaStream_t stream = stream_.get();
  const Activation& logits = plan_->activations.back();
  BeginStep(step, stream);
  for (int64_t s = 0; s < slices(); ++s) {
    const SliceOf slice = {step, s * plan_->slice, plan_->slice};
    LaunchInput(slice);
    network_->Forward(slice, /*training=*/true);
    Loss(logits.gradient ? logits.gradient->data : nullptr, network_->type(),
         logits.value->floats(), spec_.model.classes, spec_.label_smoothing,
         slice, LossScratchAt(loss_scratch_, *plan_), stream);
    network_->Backward(slice, /*accumulate=*/s > 0);
  }
  const FlatTiles flat = {reinterpret_cast<const FlatTile*>(tile_table_.data()),
                          static_cast<int32_t>(tiles_.size())};
  FindNonFinite(Of(State::kGradient).floats(), flat, step, stream);
  if (spec_.clip_norm > 0) {
    ClipGradients(Of(State::kGradient).floats(), spec_.clip_norm,
                  reinterpret_cast<double*>(squares_.data()), flat, step,
                  stream);
  }
  Update({Of(State::kParameter).floats(), Of(State::kFirstMoment).floats(),
          Of(State::kSecondMoment).floats(), Of(State::kAverage).floats()},
         Of(State::kGradient).floats(), operands_.data(), flat, step, stream);
}

StagedImages CudaEngine::Stage(ImageView images) {
  StagedSets check;
  check.Add(spec_, images);
  const auto bytes = static_cast<int64_t>(images.pixels.size());
  if (bytes > FreeBytes(kReserveOfStaging)) return {};
  DeviceBytes& memory =
      staged_memory_.emplace_back(bytes, "images to be staged");
  CopyToDevice(memory.data(), images.pixels.data(), images.pixels.size(),
               "images to be staged");
  const std::span<const uint8_t> pixels(
      reinterpret_cast<const uint8_t*>(memory.data()), images.pixels.size());
  return staged_.Add(spec_, {pixels, images.shape});
}

// How much clipping leaves of the gradients only the device knows.
void CudaEngine::SetUpdates(const StepParams& step) {
  const UpdateStep update = {.optimizer = spec_.optimizer,
                             .step = step.step,
                             .learning_rate = step.learning_rate,
                             .average_decay = spec_.average_decay};
  for (size_t i = 0; i < places_.size(); ++i) {
    const ParameterInfo& info = places_[i].info;
    updates_[i] =
        MakeCoefficients(update, info.lr_multiplier, info.decay_multiplier);
  }
}

// Where the batch's pixels are, or will be, and all that goes with them. With
// `step` for training: labels, too.
void CudaEngine::Send(const CheckedBatch& checked, const Batch& batch,
                      int64_t first, int64_t count, const StepParams* step) {
  StepIo::Send send = {.checked = checked,
                       .batch = batch,
                       .indices = batch.indices,
                       .first = first,
                       .count = count};
  if (batch.staged.id >= 0) {
    send.pixels = staged_.Get(batch.staged).pixels.data();
  } else {
    const auto size = static_cast<size_t>(spec_.source.elements());
    const std::span<const uint8_t> pixels = batch.images.pixels.subspan(
        static_cast<size_t>(first) * size, static_cast<size_t>(count) * size);
    // The kernels count images from the batch's first.
    send.pixels = pixels_->Upload(pixels, stream_.get()) -
                  static_cast<size_t>(first) * size;
  }
  if (step) {
    send.labels = true;
    send.epoch = step->epoch;
    SetUpdates(*step);
    send.updates = updates_;
  }
  io_->Upload(send, stream_.get());
}

Ticket CudaEngine::TrainStep(const Batch& batch, const StepParams& step) {
  if (!spec_.training) throw UsageError("this engine was made for inference");
  CheckStep(step);
  const CheckedBatch checked(spec_, staged_, batch);
  CheckLabels(spec_, batch);
  CHECK_CUDA(cudaSetDevice(0), "GPU");
  io_->BeginTiming(next_ticket_, stream_.get());
  Send(checked, batch, 0, checked.count(), &step);
  CHECK_CUDA(cudaGraphLaunch(train_.get(), stream_.get()), "training step");
  if (batch.staged.id < 0) pixels_->Used(stream_.get());
  io_->Download(next_ticket_, checked.count(), stream_.get());
  return {next_ticket_++};
}

StepResult CudaEngine::Wait(Ticket ticket) {
  if (ticket.id < 0 || ticket.id >= next_ticket_ ||
      ticket.id < next_ticket_ - StepIo::kTickets) {
    throw UsageError(Concat("no step with ticket ", ticket.id, " is kept"));
  }
  const StepIo::Done done = io_->Wait(ticket.id);
  StepResult result;
  result.images = done.images;
  result.loss = done.output.loss / static_cast<double>(done.images);
  result.correct = done.output.correct;
  result.gradient_norm = done.output.gradient_norm;
  // The step is one graph: there are no times of its parts.
  result.times.forward = done.seconds;
  if (done.output.bad == kBadLoss) {
    result.non_finite = {"loss"};
  } else if (done.output.bad != kGoodGradients) {
    const auto parameter = static_cast<size_t>(done.output.bad);
    result.non_finite = {places_[parameter].info.name};
  }
  return result;
}

// Runs `graph` slice by slice; each leaves `elements` floats an image at
// `from`, which go to `out`.
void CudaEngine::RunSlices(const Batch& batch, const GraphExec& graph,
                           const float* from, int64_t elements,
                           const char* what, std::span<float> out) {
  const CheckedBatch checked(spec_, staged_, batch);
  CheckCount(what, out.size(), checked.count() * elements);
  CHECK_CUDA(cudaSetDevice(0), "GPU");
  for (int64_t at = 0; at < checked.count(); at += plan_->slice) {
    const int64_t count = std::min(plan_->slice, checked.count() - at);
    Send(checked, batch, at, count, nullptr);
    CHECK_CUDA(cudaGraphLaunch(graph.get(), stream_.get()), what);
    if (batch.staged.id < 0) pixels_->Used(stream_.get());
    CHECK_CUDA(cudaMemcpyAsync(out.data() + at * elements, from,
                               static_cast<size_t>(count * elements) * 4,
                               cudaMemcpyDeviceToHost, stream_.get()),
               what);
    Synchronize(what);
  }
}

void CudaEngine::Infer(const Batch& batch, std::span<float> logits) {
  RunSlices(batch, infer_, plan_->activations.back().value->floats(),
            spec_.model.classes, "logits", logits);
}

// Channels come last on the device, first here.
void CudaEngine::Preprocess(const Batch& batch, std::span<float> input) {
  const Shape3& shape = spec_.model.input;
  const auto area = static_cast<size_t>(shape.height * shape.width);
  const auto channels = static_cast<size_t>(shape.channels);
  std::vector<float> values(input.size());
  RunSlices(batch, preprocess_, arena_.floats(), shape.elements(), "input",
            values);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t image = i / (area * channels);
    const size_t place = i / channels % area;
    input[(image * channels + i % channels) * area + place] = values[i];
  }
}

const ParameterPlace& CudaEngine::Find(std::string_view name) const {
  for (const ParameterPlace& place : places_) {
    if (place.info.name == name) return place;
  }
  throw UsageError(Concat("no parameter is named '", name, "'"));
}

// Null for what is not kept of a frozen parameter.
float* CudaEngine::Values(const ParameterPlace& place, State state) const {
  if (!spec_.training && state != State::kParameter) {
    throw UsageError("an engine for inference has no optimizer state");
  }
  const DeviceBytes& memory = Of(state);
  if (memory.bytes() == 0) {
    throw UsageError("this engine's optimizer keeps no such state");
  }
  const bool kept = state == State::kParameter || !place.info.frozen;
  return kept ? memory.floats() + place.offset : nullptr;
}

void CudaEngine::Read(State state, std::string_view parameter,
                      std::span<float> values) const {
  const ParameterPlace& place = Find(parameter);
  CheckCount(place.info.name.c_str(), values.size(), place.info.elements);
  const float* from = Values(place, state);
  if (from == nullptr) {
    std::ranges::fill(values, 0.0F);
    return;
  }
  std::vector<float> copy(static_cast<size_t>(place.elements()));
  Synchronize("reading a parameter");
  CHECK_CUDA(
      cudaMemcpy(copy.data(), from, copy.size() * 4, cudaMemcpyDeviceToHost),
      place.info.name);
  FromDeviceLayout(place, copy.data(), values.data());
}

void CudaEngine::Write(State state, std::string_view parameter,
                       std::span<const float> values) {
  if (state == State::kGradient) throw UsageError("gradients are read only");
  const ParameterPlace& place = Find(parameter);
  CheckCount(place.info.name.c_str(), values.size(), place.info.elements);
  float* to = Values(place, state);
  if (to == nullptr) return;
  std::vector<float> copy(static_cast<size_t>(place.elements()));
  ToDeviceLayout(place, values.data(), copy.data());
  Synchronize("writing a parameter");
  CopyToDevice(to, copy.data(), copy.size() * 4, place.info.name);
  if (state == State::kParameter && operands_.data()) {
    // Whole groups of four: beyond the parameter lies its own padding.
    CopyAsBfloat16(operands_.data() + place.offset * 2, to,
                   (place.elements() + 3) / 4 * 4, stream_.get());
    Synchronize("writing a parameter");
  }
}

void CudaEngine::Synchronize(const char* what) const {
  CHECK_CUDA(cudaStreamSynchronize(stream_.get()), what);
}

std::vector<MemoryUse> CudaEngine::Memory() const {
  int64_t staged = 0;
  for (const DeviceBytes& memory : staged_memory_) staged += memory.bytes();
  return {{"parameters", Of(State::kParameter).bytes() + operands_.bytes()},
          {"gradients", Of(State::kGradient).bytes()},
          {"optimizer state", Of(State::kFirstMoment).bytes() +
                                  Of(State::kSecondMoment).bytes() +
                                  Of(State::kAverage).bytes()},
          {"activations and their gradients", arena_.bytes()},
          {"scratch", workspace_.bytes() + bias_scratch_.bytes() +
                          loss_scratch_.bytes() + weight_scratch_.bytes() +
                          tile_table_.bytes() + squares_.bytes()},
          {"batches", io_->device_bytes() + pixels_->device_bytes()},
          {"staged images", staged}};
}

std::string CudaEngine::library() const {
  return Concat("CUDA ", CUDART_VERSION / 1000, ".", CUDART_VERSION % 1000 / 10,
                ", cuDNN ", cudnnGetVersion(), ", cuBLAS ",
                cublasLtGetVersion(), ", ", Gpu());
}

}  // namespace alexnet::cuda
