// SPDX-License-Identifier: MIT
#include "gpu_parity.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "alexnet/error.h"
#include "engine/loss.h"
#include "engine/op_cases.h"
#include "engine/reference/reference_network.h"
#include "engine/relative_error.h"
#include "gpu_work.h"

namespace alexnet::gpu_check {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int64_t kEpoch = 3;

// A NaN would pass every comparison unseen, and JSON has none.
template <class A, class B>
double ErrorOf(const A& a, const B& b) {
  const double error = testing_support::RelativeError(a, b);
  return std::isfinite(error) ? error : 1e30;
}

EngineSpec TrainingSpec() {
  using testing_support::Conv;
  const ModelSpec model = testing_support::Net(
      {3, 11, 11},
      {Conv(3, 9, {3, 3}), ReluSpec{}, Conv(9, 18, {3, 3}), ReluSpec{},
       MaxPool2dSpec{{3, 3}, {2, 2}, {}, false}, FlattenSpec{},
       LinearSpec{162, 33}, ReluSpec{}, DropoutSpec{0.3}},
      5);
  return CudaSpec(model, model.input, 6, Precision::kFloat32);
}

struct Trained {
  std::vector<std::vector<float>> values;  // of each parameter and state
  std::vector<double> losses, norms;
};

Trained TrainOn(Device device, EngineSpec spec) {
  spec.device = device;
  const Images data(spec.source, spec.batch_size, spec.model.classes);
  const std::unique_ptr<Engine> engine = MakeEngine(spec);
  Initialize(*engine, 4);
  BeginAverage(*engine);
  Trained trained;
  for (int64_t step = 1; step <= 5; ++step) {
    Batch batch;
    batch.images = data.view;
    batch.labels = data.labels;
    const double rate = step < 4 ? 1e-2 : 1e-3;
    const StepResult result = engine->Wait(
        engine->TrainStep(batch, {.step = step, .learning_rate = rate}));
    trained.losses.push_back(result.loss);
    trained.norms.push_back(result.gradient_norm);
  }
  std::vector<State> states = TrainingStates(spec);
  states.push_back(State::kParameter);
  for (const State state : states) {
    for (const ParameterInfo& info : Parameters(spec.model)) {
      std::vector<float>& values = trained.values.emplace_back();
      values.resize(static_cast<size_t>(info.elements));
      engine->Read(state, info.name, values);
    }
  }
  return trained;
}

std::vector<float> Logits(Engine& engine, const Images& data) {
  Batch batch;
  batch.images = data.view;
  std::vector<float> logits(data.labels.size() *
                            static_cast<size_t>(engine.spec().model.classes));
  engine.Infer(batch, logits);
  return logits;
}

}  // namespace

Trial::Trial(const ModelSpec& spec, int64_t count, Precision precision,
             Algorithms algorithms)
    : model(spec),
      images(spec.input, count, spec.classes),
      engine(MakeEngine(
          CudaSpec(spec, spec.input, count, precision, algorithms))) {
  Initialize(*engine, kSeed);
}

Inputs InputsOf(const Trial& trial) {
  Inputs inputs;
  Batch batch;
  batch.images = trial.images.view;
  inputs.values.resize(trial.images.pixels.size());
  trial.engine->Preprocess(batch, inputs.values);
  for (const ParameterInfo& info : Parameters(trial.model)) {
    std::vector<float>& values = inputs.parameters.emplace_back();
    values.resize(static_cast<size_t>(info.elements));
    trial.engine->Read(State::kParameter, info.name, values);
  }
  return inputs;
}

Expected Reference(const ModelSpec& model, int64_t images,
                   const Inputs& inputs) {
  const std::vector<std::vector<float>>& parameters = inputs.parameters;
  const Images data(model.input, images, model.classes);
  ReferenceNetwork<double> net(model, {.max_images = images});
  const auto fill = [&] {
    const int64_t size = model.input.elements();
    for (int64_t n = 0; n < images; ++n) {
      std::copy_n(inputs.values.begin() + n * size, size, net.input(n).begin());
    }
  };
  for (size_t i = 0; i < parameters.size(); ++i) {
    std::ranges::copy(parameters[i], net.parameter(i).begin());
  }
  Expected expected;
  fill();
  net.Forward(images, nullptr);
  for (int64_t n = 0; n < images; ++n) {
    const auto logits = net.logits(n);
    expected.logits.emplace_back(logits.begin(), logits.end());
  }
  fill();
  const DropoutKeys dropout = {
      CudaSpec(model, model.input, images, Precision::kFloat32).seed, kEpoch,
      data.numbers};
  net.Forward(images, &dropout);
  const double scale = 1 / static_cast<double>(images);
  for (int64_t n = 0; n < images; ++n) {
    expected.loss +=
        scale * SoftmaxCrossEntropy(net.logits_gradient(n), net.logits(n),
                                    data.labels[static_cast<size_t>(n)], scale);
  }
  net.Backward(images, &dropout);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto gradient = net.gradient(i);
    expected.gradients.emplace_back(gradient.begin(), gradient.end());
  }
  return expected;
}

Errors Compare(const Trial& trial, const Expected& expected) {
  Batch batch;
  batch.images = trial.images.view;
  batch.labels = trial.images.labels;
  Errors errors;
  const auto classes = static_cast<size_t>(trial.model.classes);
  std::vector<float> logits(classes * expected.logits.size());
  trial.engine->Infer(batch, logits);
  for (size_t n = 0; n < expected.logits.size(); ++n) {
    errors.logits = std::max(
        errors.logits, ErrorOf(std::span(logits).subspan(n * classes, classes),
                               expected.logits[n]));
  }
  const StepResult result = trial.engine->Wait(
      trial.engine->TrainStep(batch, {.step = 1, .epoch = kEpoch}));
  errors.loss = ErrorOf(std::vector<double>{result.loss},
                        std::vector<double>{expected.loss});
  const std::vector<ParameterInfo> infos = Parameters(trial.model);
  for (size_t i = 0; i < infos.size(); ++i) {
    std::vector<float> gradient(expected.gradients[i].size());
    trial.engine->Read(State::kGradient, infos[i].name, gradient);
    const double error = ErrorOf(gradient, expected.gradients[i]);
    if (error < errors.gradients) continue;
    errors.gradients = error;
    errors.worst = infos[i].name;
  }
  return errors;
}

// Rounding changes which value of a window is the largest and which is below
// zero, and a gradient then takes another way, so that gradients are off by
// much more than values. bench/measure_rounding.py does the same to PyTorch on
// these very images: with bf16 autocast it is off by 0.246 of the norm in the
// first layer's weights, with every factor of its products rounded as TF32 does
// by 0.081. For another order of sums and the dropout half as much again is
// allowed.
Errors LimitsOf(Precision precision, Algorithms algorithms) {
  const bool fast = algorithms == Algorithms::kFast;
  switch (precision) {
    case Precision::kFloat32:
      return {.logits = 1e-5, .loss = 1e-5, .gradients = fast ? 3e-5 : 1e-5};
    case Precision::kTf32:
      return {.logits = 1e-2, .loss = 1e-2, .gradients = 0.122};
    case Precision::kBfloat16:
      break;
  }
  return {.logits = 1e-2, .loss = 1e-2, .gradients = 0.369};
}

double CompareResize() {
  const Shape3 input = {3, 39, 39};
  const ModelSpec model = testing_support::Net(
      input, {testing_support::Conv(3, 8, {11, 11}, {4, 4}, {1, 1, 1, 1}),
              ReluSpec{}});
  double error = 0;
  for (const Shape3& source : {Shape3{3, 9, 7}, {3, 90, 61}, {3, 4500, 5}}) {
    const Images images(source, 2, model.classes);
    Batch batch;
    batch.images = images.view;
    std::vector<std::vector<float>> values, logits;
    for (const Device device : {Device::kCuda, Device::kReference}) {
      EngineSpec spec = CudaSpec(model, source, 2, Precision::kFloat32);
      spec.device = device;
      const std::unique_ptr<Engine> engine = MakeEngine(spec);
      Initialize(*engine, kSeed);
      values.emplace_back(static_cast<size_t>(2 * input.elements()));
      logits.emplace_back(static_cast<size_t>(2 * model.classes));
      engine->Preprocess(batch, values.back());
      engine->Infer(batch, logits.back());
    }
    // Bytes are exact; what a product makes of them is not.
    if (values[0] != values[1]) error = std::max(error, 1.0);
    error = std::max(error, ErrorOf(logits[0], logits[1]));
  }
  return error;
}

bool SameBits(Precision precision) {
  EngineSpec spec = CudaSpec(MakePreset("note"), kCifar, 32, precision);
  spec.clip_norm = 0.5;
  const Images data(kCifar, 320, 10);
  std::vector<float> first;
  for (int run = 0; run < 2; ++run) {
    const std::unique_ptr<Engine> engine = MakeEngine(spec);
    Initialize(*engine, 1);
    Train(*engine, data, Stage(*engine, data), 20);
    spec.kernel_plan = engine->kernel_plan();
    if (run == 1) return AllWeights(*engine) == first;
    first = AllWeights(*engine);
  }
  return false;
}

std::vector<TrainingCase> TrainingCases() {
  const auto optimizer = [](OptimizerKind kind, bool nesterov) {
    return [=](EngineSpec& s) {
      s.optimizer = {.kind = kind, .nesterov = nesterov, .weight_decay = 0.01};
    };
  };
  const auto freeze = [](const std::vector<std::string>& names) {
    return [=](EngineSpec& s) { Freeze(s.model, names); };
  };
  return {
      {"adam", optimizer(OptimizerKind::kAdam, false)},
      {"adamw", optimizer(OptimizerKind::kAdamW, false)},
      {"sgd", optimizer(OptimizerKind::kSgd, false)},
      {"nesterov", optimizer(OptimizerKind::kSgd, true)},
      {"caffe sgd", optimizer(OptimizerKind::kCaffeSgd, false)},
      {"caffe nesterov", optimizer(OptimizerKind::kCaffeSgd, true)},
      {"smoothing", [](EngineSpec& s) { s.label_smoothing = 0.2; }},
      {"clipping", [](EngineSpec& s) { s.clip_norm = 0.05; }},
      {"average", [](EngineSpec& s) { s.average_decay = 0.3; }},
      {"rates",
       [](EngineSpec& s) {
         s.optimizer.weight_decay = 0.01;
         for (LayerSpec& layer : s.model.layers) {
           layer.rates = {.bias_lr = 2, .bias_decay = 0};
         }
       }},
      {"frozen below", freeze({"0", "2"})},
      {"frozen above", freeze({"last"})},
      {"slices", [](EngineSpec& s) { s.slice_size = 2; }},
  };
}

bool CopyFollowsParameters() {
  EngineSpec spec = TrainingSpec();
  spec.precision = Precision::kBfloat16;
  spec.slice_size = 2;
  spec.clip_norm = 0.05;
  Freeze(spec.model, std::vector<std::string>{"2"});
  const Images data(spec.source, spec.batch_size, spec.model.classes);
  const std::unique_ptr<Engine> trained = MakeEngine(spec);
  Initialize(*trained, 4);
  Train(*trained, data, Stage(*trained, data), 5);
  spec.kernel_plan = trained->kernel_plan();
  const std::unique_ptr<Engine> given = MakeEngine(spec);
  for (const ParameterInfo& info : Parameters(spec.model)) {
    std::vector<float> values(static_cast<size_t>(info.elements));
    trained->Read(State::kParameter, info.name, values);
    given->Write(State::kParameter, info.name, values);
  }
  return Logits(*trained, data) == Logits(*given, data);
}

double CompareTraining(const TrainingCase& c) {
  EngineSpec spec = TrainingSpec();
  c.change(spec);
  const Trained ours = TrainOn(Device::kCuda, spec);
  const Trained expected = TrainOn(Device::kReference, spec);
  double error = std::max(ErrorOf(ours.losses, expected.losses),
                          ErrorOf(ours.norms, expected.norms));
  for (size_t i = 0; i < expected.values.size(); ++i) {
    error = std::max(error, ErrorOf(ours.values[i], expected.values[i]));
  }
  return error;
}

}  // namespace alexnet::gpu_check
