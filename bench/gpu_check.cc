// SPDX-License-Identifier: MIT
// Tests and measures the CUDA engine and prints one JSON object. Needs a GPU
// and nothing else: no data, no test framework. The script bench/gpu_check
// builds and runs it.
//
//   gpu_check            everything but the whole job
//   gpu_check job FILE   the whole job; the weights go to FILE
#include <stdio.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/error.h"
#include "engine/factories.h"
#include "engine/loss.h"
#include "engine/op_cases.h"
#include "engine/reference/reference_network.h"

namespace alexnet {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Any bytes, the same every time.
uint8_t Byte(int64_t i) {
  const auto x = static_cast<uint64_t>(i) * 0x9E3779B97F4A7C15;
  return static_cast<uint8_t>(x >> 56);
}

struct Images {
  Images(const Shape3& shape, int64_t count, int64_t classes) {
    pixels.resize(static_cast<size_t>(count * shape.elements()));
    int64_t at = 0;
    for (uint8_t& pixel : pixels) pixel = Byte(++at);
    for (int64_t i = 0; i < count; ++i) {
      labels.push_back(static_cast<int32_t>(i % classes));
      numbers.push_back(i);
    }
    view = {pixels, shape};
  }
  std::vector<uint8_t> pixels;
  std::vector<int32_t> labels;
  std::vector<int64_t> numbers;
  ImageView view;
};

// |a − b| / |b|.
template <class A, class B>
double Error2(const A& a, const B& b) {
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const auto y = static_cast<double>(b[i]);
    const double d = static_cast<double>(a[i]) - y;
    difference += d * d;
    norm += y * y;
  }
  const double error = std::sqrt(difference) / (norm > 0 ? std::sqrt(norm) : 1);
  // A NaN would pass every comparison unseen, and JSON has none.
  return std::isfinite(error) ? error : 1e30;
}

EngineSpec CudaSpec(const ModelSpec& model, const Shape3& source, int64_t batch,
                    Precision precision) {
  EngineSpec spec;
  spec.model = model;
  spec.source = source;
  spec.batch_size = batch;
  spec.precision = precision;
  spec.algorithms = Algorithms::kExact;
  spec.device = Device::kCuda;
  spec.seed = 5;
  return spec;
}

struct Errors {
  double logits = 0;
  double loss = 0;
  double gradients = 0;
  std::string worst;

  bool Within(double limit) const {
    return logits <= limit && loss <= limit && gradients <= limit;
  }
};

// One network on the GPU against the naive one in double.
Errors Compare(const ModelSpec& model, int64_t images, Precision precision) {
  const EngineSpec spec = CudaSpec(model, model.input, images, precision);
  const Images data(model.input, images, model.classes);
  const std::unique_ptr<Engine> engine = MakeEngine(spec);
  Initialize(*engine, 1);
  Batch batch;
  batch.images = data.view;
  batch.labels = data.labels;
  ReferenceNetwork<double> net(model, {.max_images = images});
  const auto size = static_cast<size_t>(model.input.elements());
  std::vector<float> input(size * static_cast<size_t>(images));
  engine->Preprocess(batch, input);
  const auto fill = [&] {
    for (int64_t n = 0; n < images; ++n) {
      std::copy_n(input.begin() + n * static_cast<int64_t>(size), size,
                  net.input(n).begin());
    }
  };
  for (size_t i = 0; i < net.parameters().size(); ++i) {
    std::vector<float> values(net.parameter(i).size());
    engine->Read(State::kParameter, net.parameters()[i].name, values);
    std::copy(values.begin(), values.end(), net.parameter(i).begin());
  }
  Errors errors;
  const auto classes = static_cast<size_t>(model.classes);
  std::vector<float> logits(classes * static_cast<size_t>(images));
  engine->Infer(batch, logits);
  fill();
  net.Forward(images, nullptr);
  for (int64_t n = 0; n < images; ++n) {
    const auto at = static_cast<size_t>(n) * classes;
    errors.logits =
        std::max(errors.logits,
                 Error2(std::span(logits).subspan(at, classes), net.logits(n)));
  }
  fill();
  const DropoutKeys dropout = {spec.seed, 3, data.numbers};
  net.Forward(images, &dropout);
  double loss = 0;
  const double scale = 1 / static_cast<double>(images);
  for (int64_t n = 0; n < images; ++n) {
    loss +=
        scale * SoftmaxCrossEntropy(net.logits_gradient(n), net.logits(n),
                                    data.labels[static_cast<size_t>(n)], scale);
  }
  net.Backward(images, &dropout);
  const StepResult result =
      engine->Wait(engine->TrainStep(batch, {.step = 1, .epoch = 3}));
  errors.loss = std::abs(result.loss - loss) / std::max(loss, 1e-30);
  for (size_t i = 0; i < net.parameters().size(); ++i) {
    std::vector<float> gradient(net.gradient(i).size());
    engine->Read(State::kGradient, net.parameters()[i].name, gradient);
    const double error = Error2(gradient, net.gradient(i));
    if (error < errors.gradients) continue;
    errors.gradients = error;
    errors.worst = net.parameters()[i].name;
  }
  return errors;
}

std::vector<float> AllWeights(Engine& engine) {
  std::vector<float> all;
  for (const ParameterInfo& info : Parameters(engine.spec().model)) {
    std::vector<float> values(static_cast<size_t>(info.elements));
    engine.Read(State::kParameter, info.name, values);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

const Shape3 kCifar = {3, 32, 32};

// `steps` steps over staged images, waiting a few steps behind.
void Train(Engine& engine, const Images& data, StagedImages staged,
           int64_t steps) {
  const auto batch_size = static_cast<size_t>(engine.spec().batch_size);
  std::vector<Ticket> tickets;
  for (int64_t s = 0; s < steps; ++s) {
    const size_t batches = data.numbers.size() / batch_size;
    const size_t first = static_cast<size_t>(s) % batches * batch_size;
    Batch batch;
    batch.staged = staged;
    batch.indices = std::span(data.numbers).subspan(first, batch_size);
    batch.labels = std::span(data.labels).subspan(first, batch_size);
    tickets.push_back(
        engine.TrainStep(batch, {.step = s + 1, .learning_rate = 1e-4}));
    if (s >= 8) engine.Wait(tickets[static_cast<size_t>(s) - 8]);
  }
  engine.Wait(tickets.back());
}

// The same steps twice, the second time with the first's kernel plan.
bool SameBits(Precision precision) {
  EngineSpec spec = CudaSpec(MakePreset("note"), kCifar, 32, precision);
  spec.clip_norm = 0.5;
  const Images data(kCifar, 320, 10);
  std::vector<float> first;
  for (int run = 0; run < 2; ++run) {
    const std::unique_ptr<Engine> engine = MakeEngine(spec);
    Initialize(*engine, 1);
    Train(*engine, data, engine->Stage(data.view), 20);
    spec.kernel_plan = engine->kernel_plan();
    if (run == 1) return AllWeights(*engine) == first;
    first = AllWeights(*engine);
  }
  return false;
}

// Five steps of a small network on the GPU against the reference engine's, with
// what `change` asks for.
struct TrainingCase {
  std::string name;
  std::function<void(EngineSpec&)> change;
};

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

// Whether the bfloat16 copy of the parameters, which the update writes, is that
// of the parameters: an engine that is given these must infer the same.
bool CopyFollowsParameters() {
  EngineSpec spec = TrainingSpec();
  spec.precision = Precision::kBfloat16;
  spec.slice_size = 2;
  spec.clip_norm = 0.05;
  Freeze(spec.model, std::vector<std::string>{"2"});
  const Images data(spec.source, spec.batch_size, spec.model.classes);
  const std::unique_ptr<Engine> trained = MakeEngine(spec);
  Initialize(*trained, 4);
  Train(*trained, data, trained->Stage(data.view), 5);
  spec.kernel_plan = trained->kernel_plan();
  const std::unique_ptr<Engine> given = MakeEngine(spec);
  for (const ParameterInfo& info : Parameters(spec.model)) {
    std::vector<float> values(static_cast<size_t>(info.elements));
    trained->Read(State::kParameter, info.name, values);
    given->Write(State::kParameter, info.name, values);
  }
  return Logits(*trained, data) == Logits(*given, data);
}

// The largest error of anything that training leaves.
double CompareTraining(const TrainingCase& c) {
  EngineSpec spec = TrainingSpec();
  c.change(spec);
  const Trained ours = TrainOn(Device::kCuda, spec);
  const Trained expected = TrainOn(Device::kReference, spec);
  double error = std::max(Error2(ours.losses, expected.losses),
                          Error2(ours.norms, expected.norms));
  for (size_t i = 0; i < expected.values.size(); ++i) {
    error = std::max(error, Error2(ours.values[i], expected.values[i]));
  }
  return error;
}

// Bytes of the first GPU that are in use, by whomever; empty where nvidia-smi
// does not tell.
std::optional<double> GpuMemoryInUse() {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
      popen("nvidia-smi -i 0 --query-gpu=memory.used "
            "--format=csv,noheader,nounits 2>/dev/null",
            "r"),
      pclose);
  double mebibytes = 0;
  if (!pipe || fscanf(pipe.get(), "%lf", &mebibytes) != 1) return {};
  return mebibytes * (1 << 20);
}

struct Speed {
  double median = 0;
  double low = 0;
  double high = 0;
  double setup_seconds = 0;
  int64_t memory = 0;            // planned
  std::optional<double> in_use;  // of the GPU, by this process
  std::string plan;
};

// `idle` is what the GPU had in use before this process came to it.
Speed Measure(int64_t batch, Precision precision, std::optional<double> idle) {
  constexpr int kRuns = 5;
  const auto begin = Clock::now();
  const std::unique_ptr<Engine> engine =
      MakeEngine(CudaSpec(MakePreset("note"), kCifar, batch, precision));
  Initialize(*engine, 1);
  Speed speed;
  speed.setup_seconds = SecondsSince(begin);
  speed.plan = engine->kernel_plan();
  const Images data(kCifar, 4 * batch, 10);
  const StagedImages staged = engine->Stage(data.view);
  for (const MemoryUse& use : engine->Memory()) speed.memory += use.bytes;
  Train(*engine, data, staged, 20);
  const int64_t steps = std::max<int64_t>(20, 12800 / batch);
  std::vector<double> rates;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = Clock::now();
    Train(*engine, data, staged, steps);
    rates.push_back(static_cast<double>(steps * batch) / SecondsSince(start));
  }
  const std::optional<double> in_use = GpuMemoryInUse();
  if (idle && in_use) speed.in_use = *in_use - *idle;
  std::sort(rates.begin(), rates.end());
  speed.low = rates.front();
  speed.median = rates[kRuns / 2];
  speed.high = rates.back();
  return speed;
}

// The seconds of an epoch of 50,000 images that are resized in every step, in
// the note's batches.
double Epoch(Precision precision) {
  constexpr int64_t kBatch = 32;
  const Images data(kCifar, 50000, 10);
  const std::unique_ptr<Engine> engine =
      MakeEngine(CudaSpec(MakePreset("note"), kCifar, kBatch, precision));
  Initialize(*engine, 1);
  const StagedImages staged = engine->Stage(data.view);
  Train(*engine, data, staged, 20);
  const auto begin = Clock::now();
  Train(*engine, data, staged, 50000 / kBatch);
  return SecondsSince(begin);
}

double Accuracy(Engine& engine, const Images& images) {
  const StagedImages staged = engine.Stage(images.view);
  const auto batch_size = static_cast<size_t>(engine.spec().batch_size);
  const auto classes = static_cast<size_t>(engine.spec().model.classes);
  std::vector<float> logits;
  size_t correct = 0;
  for (size_t at = 0; at < images.numbers.size(); at += batch_size) {
    const size_t count = std::min(batch_size, images.numbers.size() - at);
    Batch batch;
    batch.staged = staged;
    batch.indices = std::span(images.numbers).subspan(at, count);
    logits.resize(count * classes);
    engine.Infer(batch, logits);
    for (size_t i = 0; i < count; ++i) {
      const std::span<const float> row(logits.data() + i * classes, classes);
      if (ArgMax(row) == images.labels[at + i]) ++correct;
    }
  }
  return static_cast<double>(correct) /
         static_cast<double>(images.numbers.size());
}

// Two epochs of 50,000 images, the weights in a file, the accuracy on 10,000:
// the program's job with drawn images and without its file format. The script
// takes the time, from start to exit.
int WholeJob(const std::string& file) {
  constexpr int64_t kBatch = 128;
  const Images train(kCifar, 50000, 10);
  const Images test(kCifar, 10000, 10);
  const auto begin = Clock::now();
  const std::unique_ptr<Engine> engine = MakeEngine(
      CudaSpec(MakePreset("note"), kCifar, kBatch, Precision::kBfloat16));
  Initialize(*engine, 1);
  const double setup = SecondsSince(begin);
  Train(*engine, train, engine->Stage(train.view), 2 * 50000 / kBatch);
  const double trained = SecondsSince(begin);
  const std::vector<float> weights = AllWeights(*engine);
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(weights.data()),
            static_cast<std::streamsize>(weights.size() * sizeof(float)));
  out.close();
  const double accuracy = Accuracy(*engine, test);
  std::cout << Concat("{\"setup_s\": ", setup,
                      ", \"training_s\": ", trained - setup,
                      ", \"rest_s\": ", SecondsSince(begin) - trained,
                      ", \"accuracy\": ", accuracy, "}\n");
  return out ? 0 : 1;
}

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Prints `"name": value` pairs; a part that throws becomes its message, and
// the others still run.
class Report {
 public:
  void Add(const std::string& name, const std::function<std::string()>& make) {
    std::string value;
    const auto begin = Clock::now();
    try {
      value = make();
    } catch (const std::exception& error) {
      value = Concat("{\"error\": ", Quoted(error.what()), "}");
      failed_ = true;
    }
    std::cerr << name << ": " << SecondsSince(begin) << " s\n";
    std::cout << (first_ ? "{\n" : ",\n") << "  " << Quoted(name) << ": "
              << value << std::flush;
    first_ = false;
  }
  void Fail() { failed_ = true; }
  int End() {
    std::cout << "\n}\n";
    return failed_ ? 1 : 0;
  }

 private:
  bool first_ = true;
  bool failed_ = false;
};

std::string Text(const Errors& e) {
  return Concat("{\"logits\": ", e.logits, ", \"loss\": ", e.loss,
                ", \"gradients\": ", e.gradients,
                ", \"worst\": ", Quoted(e.worst), "}");
}

// Of the norms. The factors of tf32 have 11 significant bits, of bf16 8; ten
// roundings in a row.
double LimitOf(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return 1e-5;
    case Precision::kTf32:
      return 1e-2;
    case Precision::kBfloat16:
      break;
  }
  return 1e-1;
}

void AddCases(Report& report) {
  for (const testing_support::OpCase& c : testing_support::OpCases()) {
    report.Add("case " + c.name, [&] {
      const Errors e = Compare(c.model, c.images, Precision::kFloat32);
      if (!e.Within(1e-5)) report.Fail();
      return Text(e);
    });
  }
}

void AddTrainingCases(Report& report) {
  report.Add("bfloat16 copy follows", [&] {
    const bool follows = CopyFollowsParameters();
    if (!follows) report.Fail();
    return std::string(follows ? "true" : "false");
  });
  for (const TrainingCase& c : TrainingCases()) {
    report.Add("training case " + c.name, [&] {
      const double error = CompareTraining(c);
      // Adam divides by the root of tiny squares in its first steps.
      if (error > 1e-4) report.Fail();
      return Concat(error);
    });
  }
}

std::string Text(const Speed& s) {
  return Concat("{\"images_per_s\": ", s.median, ", \"low\": ", s.low,
                ", \"high\": ", s.high, ", \"setup_s\": ", s.setup_seconds,
                ", \"memory_bytes\": ", s.memory, ", \"gpu_memory_bytes\": ",
                s.in_use ? std::to_string(std::llround(*s.in_use)) : "null",
                ", \"plan\": ", Quoted(s.plan), "}");
}

int Main() {
  const std::optional<double> idle = GpuMemoryInUse();
  Report report;
  if (!HasCudaEngine()) {
    std::cerr << "gpu_check: " << CudaProblem() << "\n";
    return 2;
  }
  report.Add("library", [] {
    return Quoted(MakeEngine(CudaSpec(MakePreset("lenet5"), {3, 32, 32}, 1,
                                      Precision::kFloat32))
                      ->library());
  });
  AddCases(report);
  AddTrainingCases(report);
  for (const Precision p :
       // What the targets are about first, should time run out.
       {Precision::kBfloat16, Precision::kFloat32, Precision::kTf32}) {
    const std::string name(Name(p));
    report.Add("note errors " + name, [&] {
      const Errors e = Compare(MakePreset("note"), 2, p);
      if (!e.Within(LimitOf(p))) report.Fail();
      return Text(e);
    });
    report.Add("same bits " + name, [&] {
      const bool same = SameBits(p);
      if (!same) report.Fail();
      return std::string(same ? "true" : "false");
    });
    for (const int64_t batch : {32, 128, 1024}) {
      report.Add(Concat("training ", name, " batch ", batch),
                 [&] { return Text(Measure(batch, p, idle)); });
    }
    report.Add("epoch " + name + " seconds", [&] { return Concat(Epoch(p)); });
  }
  return report.End();
}

}  // namespace
}  // namespace alexnet

int main(int count, char** arguments) {
  if (count == 1) return alexnet::Main();
  if (count == 3 && std::string_view(arguments[1]) == "job") {
    try {
      return alexnet::WholeJob(arguments[2]);
    } catch (const std::exception& error) {
      std::cerr << "gpu_check: " << error.what() << "\n";
      return 1;
    }
  }
  std::cerr << "usage: gpu_check [job FILE]\n";
  return 2;
}
