// SPDX-License-Identifier: MIT
#include "engine/cpu/cpu_engine.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "alexnet/error.h"
#include "core/machine.h"
#include "engine/cpu/conv_pass.h"
#include "engine/factories.h"
#include "engine/loss.h"

namespace alexnet {

bool HasCpuEngine() { return true; }

std::unique_ptr<Engine> MakeCpuEngine(const EngineSpec& spec) {
  try {
    return std::make_unique<cpu::CpuEngine>(spec);
  } catch (const dnnl::error& error) {
    throw Error(Concat("the CPU engine cannot run this network: oneDNN says: ",
                       error.what()));
  }
}

namespace cpu {
namespace {

// Seconds since the last call.
class Lap {
 public:
  double operator()() {
    const auto now = Clock::now();
    const std::chrono::duration<double> seconds = now - last_;
    last_ = now;
    return seconds.count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

// oneDNN picks its kernels by the machine; hold it to our choice where that is
// less. Only the first call in a process counts.
void LimitLibraryTo(Isa isa) {
  if (isa == Isa::kAvx512Bf16) {
    dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16);
  }
  if (isa == Isa::kAvx512) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core);
  if (isa == Isa::kAvx2) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
  if (isa == Isa::kGeneric) dnnl_set_max_cpu_isa(dnnl_cpu_isa_sse41);
}

AxisTable Table(const ResizeAxis& axis) {
  return {axis.in,           axis.out,          axis.taps,
          axis.first.data(), axis.count.data(), axis.weights.data()};
}

int64_t SlicesFor(int64_t batch, int64_t slice) {
  return (batch + slice - 1) / slice;
}

}  // namespace

CpuEngine::CpuEngine(const EngineSpec& spec)
    : spec_(spec), kernels_(KernelsFor(SelectedIsa())) {
  LimitLibraryTo(SelectedIsa());
  omp_set_num_threads(spec_.threads);
  plan_ = KernelPlan::Parse(spec_.kernel_plan);
  PlanConvolutions();
  resize_ = ResizePlan({spec_.source.height, spec_.source.width},
                       {spec_.model.input.height, spec_.model.input.width});
  MakeNetwork();
  plan_.slice = spec_.slice_size = network_->slice();
  network_->Allocate();
  pixels_.resize(static_cast<size_t>(network_->slice()));
  sample_ids_.resize(static_cast<size_t>(network_->slice()));
}

// Fills the gaps of the plan from the table of times; replaces what this
// machine does not have or exact algorithms rule out; drops layers that the
// network does not have.
void CpuEngine::PlanConvolutions() {
  const std::vector<LayerInfo> infos = InferLayers(spec_.model);
  const bool fast = spec_.algorithms == Algorithms::kFast;
  std::map<std::string, ConvAlgorithms, std::less<>> planned;
  for (size_t i = 0; i < infos.size(); ++i) {
    const LayerSpec& layer = spec_.model.layers[i];
    const auto* conv = std::get_if<Conv2dSpec>(&layer.op);
    if (!conv) continue;
    const auto given = plan_.convolutions.find(layer.name);
    ConvAlgorithms& choice = planned[layer.name];
    if (!fast) continue;
    const ConvAlgorithms usual = DefaultAlgorithms(
        *conv, infos[i].input, SelectedIsa(), spec_.precision);
    const bool planned_before = given != plan_.convolutions.end();
    choice = Fitting(planned_before ? given->second : usual, usual, *conv,
                     SelectedIsa(), spec_.precision);
  }
  plan_.convolutions = std::move(planned);
}

// The largest slices that fit: the whole batch if possible, else parts of
// equal size.
void CpuEngine::MakeNetwork() {
  const int64_t batch = spec_.batch_size;
  const int64_t wanted = spec_.slice_size > 0 ? spec_.slice_size : plan_.slice;
  const bool fixed = wanted > 0;
  int64_t slice = fixed ? std::min(wanted, batch) : batch;
  // Leave room for the data, the loader and the rest of the process.
  const auto budget = std::max<int64_t>(
      1, static_cast<int64_t>(0.9 * static_cast<double>(AvailableMemory())));
  for (;;) {
    network_ = std::make_unique<Network>(spec_, slice, SlicesFor(batch, slice),
                                         plan_, kernels_);
    const int64_t needed = network_->planned_bytes();
    if (needed <= budget) return;
    if (fixed || slice == 1) {
      throw Error(Concat("out of memory: a batch of ", batch, " in slices of ",
                         slice, " needs ", needed >> 20, " MiB, of which ",
                         network_->state_bytes() >> 20,
                         " MiB for the parameters and what is kept for each; ",
                         budget >> 20, " MiB are available"));
    }
    // At most half, and less where that surely does not fit either: what a
    // slice needs shrinks with it at best.
    const int64_t parts = std::clamp<int64_t>(needed / budget, 2, slice);
    const int64_t slices =
        SlicesFor(batch, std::max<int64_t>(1, slice / parts));
    slice = SlicesFor(batch, slices);
  }
}

StagedImages CpuEngine::Stage(ImageView images) {
  return staged_.Add(spec_, images);
}

Slice CpuEngine::BeginSlice(const CheckedBatch& batch, int64_t first,
                            bool training, int64_t epoch) {
  const int64_t images = std::min(network_->slice(), batch.count() - first);
  for (int64_t i = 0; i < images; ++i) {
    const auto at = static_cast<size_t>(i);
    pixels_[at] = batch.pixels(first + i).data();
    sample_ids_[at] = batch.sample_id(first + i);
  }
  return {.training = training,
          .first = first,
          .images = images,
          .epoch = epoch,
          .sample_ids = {sample_ids_.data(), static_cast<size_t>(images)}};
}

void CpuEngine::MakeInput(const Slice& slice) {
  const Activation& input = network_->input();
  kernels_.make_input({.across = Table(resize_.horizontal),
                       .down = Table(resize_.vertical),
                       .pixels = pixels_.data(),
                       .images = slice.images,
                       .channels = spec_.source.channels,
                       .mean = spec_.input.mean.data(),
                       .std = spec_.input.std.data(),
                       .scratch = network_->resize_scratch(),
                       .out = input.value->floats()});
  // A short slice is filled up with zeros, whose gradients are zero too.
  const int64_t padding = network_->slice() - slice.images;
  std::memset(
      input.value->floats() + slice.images * input.shape.elements(), 0,
      static_cast<size_t>(padding * input.shape.elements()) * sizeof(float));
}

// All gradients are finished, whichever of them is the first not finite.
std::optional<NonFinite> CpuEngine::FinishGradients(int64_t images) {
  std::optional<NonFinite> found;
  for (const auto& unit : network_->units()) {
    std::optional<std::string> name = unit->FinishGradients(images);
    if (name && !found) found = {*std::move(name)};
  }
  return found;
}

double CpuEngine::GradientNorm() {
  double squares = 0;
  for (const auto& unit : network_->units()) {
    squares += unit->GradientSquares(trained_images_);
  }
  return std::sqrt(squares);
}

Ticket CpuEngine::TrainStep(const Batch& batch, const StepParams& step) {
  if (!spec_.training) throw UsageError("this engine was made for inference");
  omp_set_num_threads(spec_.threads);
  CheckStep(step);
  const CheckedBatch checked(spec_, staged_, batch);
  CheckLabels(spec_, batch);
  StepResult result;
  result.images = checked.count();
  network_->ClearTimes();
  Lap lap;
  for (int64_t at = 0; at < checked.count(); at += network_->slice()) {
    const Slice slice = BeginSlice(checked, at, /*training=*/true, step.epoch);
    MakeInput(slice);
    result.times.input += lap();
    network_->Forward(slice);
    const double loss = Loss(batch, slice, checked.count(), result.correct);
    if (!std::isfinite(loss)) result.non_finite = {FirstNonFinite(slice)};
    result.loss += loss / static_cast<double>(checked.count());
    result.times.forward += lap();
    if (result.non_finite) break;
    network_->Backward(slice);
    result.times.backward += lap();
  }
  trained_images_ = checked.count();
  if (!result.non_finite) {
    result.non_finite = FinishGradients(checked.count());
  }
  if (!result.non_finite) {
    if (spec_.clip_norm > 0) result.gradient_norm = GradientNorm();
    network_->Update(
        checked.count(),
        {.optimizer = spec_.optimizer,
         .step = step.step,
         .learning_rate = step.learning_rate,
         .gradient_scale = ClipScale(result.gradient_norm, spec_.clip_norm),
         .average_decay = spec_.average_decay});
  }
  result.times.update += lap();
  results_[static_cast<size_t>(next_ticket_ % kTickets)] = result;
  return {next_ticket_++};
}

StepResult CpuEngine::Wait(Ticket ticket) {
  if (ticket.id < 0 || ticket.id >= next_ticket_ ||
      ticket.id < next_ticket_ - kTickets) {
    throw UsageError(Concat("no step with ticket ", ticket.id, " is kept"));
  }
  return results_[static_cast<size_t>(ticket.id % kTickets)];
}

// The sum over the slice's images; sets the logits' gradient.
double CpuEngine::Loss(const Batch& batch, const Slice& slice, int64_t count,
                       int64_t& correct) {
  const auto classes = static_cast<size_t>(spec_.model.classes);
  const Activation& out = network_->logits();
  std::memset(out.gradient->data, 0, static_cast<size_t>(out.gradient->bytes));
  const double scale = 1.0 / static_cast<double>(count);
  double loss = 0;
  for (int64_t i = 0; i < slice.images; ++i) {
    const size_t at = static_cast<size_t>(i) * classes;
    const std::span<const float> logits(out.value->floats() + at, classes);
    const std::span<float> gradient(out.gradient->floats() + at, classes);
    const auto image = static_cast<size_t>(slice.first + i);
    int64_t wanted = 0;
    if (batch.labels.empty()) {
      const auto target =
          batch.label_probabilities.subspan(image * classes, classes);
      loss += SoftmaxCrossEntropy(gradient, logits, target, scale,
                                  spec_.label_smoothing);
      wanted = ArgMax(target);
    } else {
      wanted = batch.labels[image];
      loss += SoftmaxCrossEntropy(gradient, logits, batch.labels[image], scale,
                                  spec_.label_smoothing);
    }
    correct += ArgMax(logits) == wanted ? 1 : 0;
  }
  return loss;
}

// Goes forward again, one unit at a time, to name the layer.
std::string CpuEngine::FirstNonFinite(const Slice& slice) {
  MakeInput(slice);
  for (const auto& unit : network_->units()) {
    unit->Forward(slice);
    const Activation& out = unit->output();
    const int64_t images = out.flat ? slice.images : network_->slice();
    const int64_t n = Elements(out.desc) / network_->slice() * images;
    if (!AllFinite(kernels_, out, n)) {
      return "output of " + unit->name();
    }
  }
  return "loss";
}

void CpuEngine::Infer(const Batch& batch, std::span<float> logits) {
  omp_set_num_threads(spec_.threads);
  const CheckedBatch checked(spec_, staged_, batch);
  CheckCount("logits", logits.size(), checked.count() * spec_.model.classes);
  network_->ClearTimes();
  for (int64_t at = 0; at < checked.count(); at += network_->slice()) {
    const Slice slice = BeginSlice(checked, at, /*training=*/false, 0);
    MakeInput(slice);
    network_->Forward(slice);
    std::memcpy(logits.data() + at * spec_.model.classes,
                network_->logits().value->data,
                static_cast<size_t>(slice.images * spec_.model.classes) *
                    sizeof(float));
  }
}

void CpuEngine::Preprocess(const Batch& batch, std::span<float> input) {
  omp_set_num_threads(spec_.threads);
  const CheckedBatch checked(spec_, staged_, batch);
  const int64_t elements = spec_.model.input.elements();
  CheckCount("input", input.size(), checked.count() * elements);
  for (int64_t at = 0; at < checked.count(); at += network_->slice()) {
    const Slice slice = BeginSlice(checked, at, /*training=*/false, 0);
    MakeInput(slice);
    std::memcpy(input.data() + at * elements, network_->input().value->data,
                static_cast<size_t>(slice.images * elements) * sizeof(float));
  }
}

std::string CpuEngine::library() const {
  const dnnl_version_t* version = dnnl_version();
  return Concat("oneDNN ", version->major, ".", version->minor, ".",
                version->patch);
}

Parameter& CpuEngine::Find(std::string_view name) const {
  for (Parameter& parameter : network_->parameters()) {
    if (parameter.info.name == name) return parameter;
  }
  throw UsageError(Concat("no parameter is named '", name, "'"));
}

float* CpuEngine::Values(Parameter& parameter, State state) const {
  if (!spec_.training && state != State::kParameter) {
    throw UsageError("an engine for inference has no optimizer state");
  }
  const std::vector<State>& kept = network_->states();
  if (state != State::kParameter && state != State::kGradient &&
      std::find(kept.begin(), kept.end(), state) == kept.end()) {
    throw UsageError("this engine's optimizer keeps no such state");
  }
  return *Place(parameter, state);
}

void CpuEngine::Read(State state, std::string_view name,
                     std::span<float> values) const {
  omp_set_num_threads(spec_.threads);
  Parameter& parameter = Find(name);
  CheckCount(parameter.info.name.c_str(), values.size(),
             parameter.info.elements);
  if (const float* from = Values(parameter, state)) {
    Reorder(dnnl_, parameter.desc, const_cast<float*>(from),
            parameter.canonical, values.data())(dnnl_);
    return;
  }
  for (const auto& unit : network_->units()) {
    if (state == State::kGradient &&
        unit->FormGradient(parameter, trained_images_, values)) {
      return;
    }
  }
  std::fill(values.begin(), values.end(), 0.0F);  // frozen
}

std::span<const float> CpuEngine::View(State state,
                                       std::string_view name) const {
  Parameter& parameter = Find(name);
  const float* values = Values(parameter, state);
  if (!values || parameter.desc != parameter.canonical) return {};
  return {values, static_cast<size_t>(parameter.info.elements)};
}

void CpuEngine::Write(State state, std::string_view name,
                      std::span<const float> values) {
  if (state == State::kGradient) throw UsageError("gradients are read only");
  omp_set_num_threads(spec_.threads);
  Parameter& parameter = Find(name);
  CheckCount(parameter.info.name.c_str(), values.size(),
             parameter.info.elements);
  float* to = Values(parameter, state);
  if (to == nullptr) return;  // frozen
  ++parameter.writes;
  Reorder(dnnl_, parameter.canonical, const_cast<float*>(values.data()),
          parameter.desc, to)(dnnl_);
}

}  // namespace cpu
}  // namespace alexnet
