// SPDX-License-Identifier: MIT
// The narrow waist: whatever trains or runs a network does it through Engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alexnet/input_transform.h"
#include "alexnet/model.h"

namespace alexnet {

// kFloat32 is strict. kTf32 rounds the factors of products to 10 bits,
// kBfloat16 computes with bfloat16 values; sums, parameters and optimizer state
// are float32 in all of them. An engine refuses what it lacks.
enum class Precision { kFloat32, kTf32, kBfloat16 };

// kAuto is a GPU or else the CPU, decided when the engine is made: an engine's
// spec() never has it.
enum class Device { kAuto, kCpu, kReference, kCuda };

// kFast may use transformed convolutions (Winograd), whose outputs are off by
// up to 1e-5 of their norm and weight gradients by 3e-5; kExact keeps to direct
// ones (1e-6).
enum class Algorithms { kFast, kExact };

// "auto", "cpu", "reference", "cuda"; "fp32", "tf32", "bf16"; "fast", "exact".
// UsageError otherwise.
Device ParseDevice(std::string_view name);
Precision ParsePrecision(std::string_view name);
Algorithms ParseAlgorithms(std::string_view name);
std::string_view Name(Device device);
std::string_view Name(Precision precision);
std::string_view Name(Algorithms algorithms);

enum class OptimizerKind {
  kSgd,       // PyTorch's SGD: v = μ·v + g, w −= lr·v
  kCaffeSgd,  // the paper's and Caffe's: v = μ·v + lr·g, w −= v
  kAdam,      // PyTorch's: eps outside the root and after bias correction
  kAdamW,     // the same, with weights that shrink by lr·decay beside it
};

// "sgd", "caffe-sgd", "adam", "adamw"; UsageError otherwise.
OptimizerKind ParseOptimizer(std::string_view name);
std::string_view Name(OptimizerKind kind);

// Weight decay is added to the gradient (L2), except AdamW's. The two forms of
// SGD differ once the learning rate changes: Caffe's velocity has the rates in
// it with which its gradients came. The learning rate comes with each step;
// each parameter's multipliers are in ParameterInfo.
struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::kAdam;
  double momentum = 0.9;  // of SGD
  bool nesterov = false;
  double beta1 = 0.9;  // of Adam
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
};

struct EngineSpec {
  ModelSpec model;
  InputTransform input;
  Shape3 source;           // images as they arrive: channels × height × width
  int64_t batch_size = 1;  // most images in one call
  int64_t slice_size = 0;  // images worked on at once; 0: the engine decides
  bool training = true;    // false: no gradients, no optimizer state
  Precision precision = Precision::kFloat32;
  OptimizerSpec optimizer = {};
  // The target of the loss is (1 − ε)·label + ε/classes, as in PyTorch.
  double label_smoothing = 0;
  // Longest the gradient of all parameters may be; longer ones are scaled, as
  // by PyTorch's clip_grad_norm_. 0: no limit.
  double clip_norm = 0;
  // Of the running average of the weights: a = d·a + (1−d)·w after each step,
  // with d = min(average_decay, (1+t)/(10+t)) in step t. 0: none is kept.
  double average_decay = 0;
  Device device = Device::kAuto;
  Algorithms algorithms = Algorithms::kFast;
  int threads = 0;          // 0: all cores this process may use
  uint64_t seed = 0;        // of the dropout masks
  std::string kernel_plan;  // kernel_plan() of an earlier engine, or empty
};

// Pixels of many images, uint8, planar (C × H × W, then the next image). Not
// owned: the memory stays valid and unchanged as long as it is in use.
struct ImageView {
  std::span<const uint8_t> pixels;
  Shape3 shape;
  int64_t count() const {
    return pixels.empty()
               ? 0
               : static_cast<int64_t>(pixels.size()) / shape.elements();
  }
};

// From Engine::Stage; valid for that engine.
struct StagedImages {
  int64_t id = -1;
};

// Images to work on. All spans may be released when the call returns.
struct Batch {
  // Either pixels given here, of count() images in order …
  ImageView images;
  // … or images staged earlier, picked by `indices`.
  StagedImages staged;
  std::span<const int64_t> indices;
  // A class each (images), or a probability for every class (images × classes).
  std::span<const int32_t> labels;
  std::span<const float> label_probabilities;
  // Each image's number in its data set. With the seed and the epoch it
  // decides the image's dropout mask, wherever in a batch it stands. Empty:
  // `indices` if given, else 0, 1, 2, …
  std::span<const int64_t> sample_ids;

  int64_t count() const {
    return indices.empty() ? images.count()
                           : static_cast<int64_t>(indices.size());
  }
};

struct StepParams {
  int64_t step = 1;  // updates so far + 1: the optimizer's t
  int64_t epoch = 0;
  double learning_rate = 1e-3;
};

// Where a value first turned out to be NaN or infinite.
struct NonFinite {
  // "loss" or "output of fc3", or a parameter's name: its gradient.
  std::string where;
  bool operator==(const NonFinite&) const = default;
};

struct StepTimes {   // seconds
  double input = 0;  // resize, normalise
  double forward = 0;
  double backward = 0;
  double update = 0;
  double total() const { return input + forward + backward + update; }
};

// What a piece of the network took in the last step, in seconds. A piece is
// named after its first layer and may include those that are fused into it.
struct LayerTimes {
  std::string layer;
  double forward = 0;
  double backward = 0;
  double update = 0;
};

struct StepResult {
  double loss = 0;  // mean over the batch's images
  int64_t images = 0;
  int64_t correct = 0;  // top-1 (with probabilities: of the likeliest class)
  double gradient_norm = 0;  // before clipping; 0 unless clip_norm is set
  std::optional<NonFinite> non_finite;  // if set, no parameter was touched
  StepTimes times;
};

struct Ticket {
  int64_t id = -1;
};

// What a value is kept for each parameter.
enum class State {
  kParameter,
  kGradient,
  kFirstMoment,   // Adam's m, SGD's velocity
  kSecondMoment,  // Adam's v
  kAverage,       // of the weights over the steps
};

// What a training run has to keep besides the parameters: moments as the
// optimizer has them, and the average if there is one.
std::vector<State> TrainingStates(const EngineSpec& spec);

struct MemoryUse {
  std::string purpose;  // "parameters", "activations", …
  int64_t bytes = 0;
};

// A network on a device: parameters, optimizer state and every buffer. All is
// planned when it is made; the steps allocate nothing. Methods throw
// UsageError where an argument does not fit the spec. One thread at a time may
// use an engine; different engines may be used by different threads.
class Engine {
 public:
  virtual ~Engine() = default;

  // As asked for, with device, threads and slice size resolved.
  virtual const EngineSpec& spec() const = 0;

  // Makes images known to the engine (a GPU copies them); they can then be
  // addressed by index. On the CPU the memory is referred to, not copied. The
  // id is −1 where a GPU has no room for them: batches then bring their own.
  virtual StagedImages Stage(ImageView images) = 0;

  // Forward, loss (cross-entropy of softmax, mean over the images), backward,
  // update; 1 to batch_size images. Returns at once where the device can; the
  // parameters change unless the loss or a gradient is not finite.
  virtual Ticket TrainStep(const Batch& batch, const StepParams& step) = 0;

  // Waits for a step and tells how it went. The last 64 tickets are kept.
  virtual StepResult Wait(Ticket ticket) = 0;

  // Dropout off. `logits` is images × classes.
  virtual void Infer(const Batch& batch, std::span<float> logits) = 0;

  // What the first layer sees, before it is rounded to the engine's precision:
  // float32, images × C × H × W. De-normalising it back to bytes' scale is the
  // caller's business.
  virtual void Preprocess(const Batch& batch, std::span<float> input) = 0;

  // Values by parameter name, float32 in PyTorch's layout. kGradient is that
  // of the last TrainStep and can only be read (zero for a frozen parameter);
  // a step count goes with StepParams. Frozen parameters have no moments:
  // theirs read as zero and writing them does nothing. Throws UsageError for
  // an unknown name, a wrong size or a state that this engine does not keep.
  virtual void Read(State state, std::string_view parameter,
                    std::span<float> values) const = 0;
  virtual void Write(State state, std::string_view parameter,
                     std::span<const float> values) = 0;
  // What Read would copy, where it lies, until the next step; empty where it
  // lies elsewhere or in another layout.
  virtual std::span<const float> View(State, std::string_view) const {
    return {};
  }

  // Bytes by purpose, as planned.
  virtual std::vector<MemoryUse> Memory() const = 0;

  // Of the last TrainStep or Infer, in the network's order; empty where it is
  // not measured.
  virtual std::vector<LayerTimes> layer_times() const { return {}; }

  // The library that computes, with its version: another one may round
  // otherwise. Empty where there is none.
  virtual std::string library() const { return ""; }

  // The algorithms chosen, as text that EngineSpec::kernel_plan takes to
  // choose the same again.
  virtual std::string kernel_plan() const = 0;
};

// Parameters are zero until written. Throws UsageError for a spec that makes
// no sense, Error where the device cannot be had (and says why). Device::kAuto
// takes the GPU if it can do what is asked for; if not, `no_gpu` tells why in a
// line.
std::unique_ptr<Engine> MakeEngine(const EngineSpec& spec,
                                   std::string* no_gpu = nullptr);

// Writes InitialParameters(model, seed) into the engine.
void Initialize(Engine& engine, uint64_t seed);

// Lets the average, if there is one, begin with the parameters.
void BeginAverage(Engine& engine);

// Exchanges the parameters and their average, for an evaluation of the latter;
// a second call changes them back. Nothing without an average.
void SwapAverage(Engine& engine);

}  // namespace alexnet
