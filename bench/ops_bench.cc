// SPDX-License-Identifier: MIT
// Each of our kernels beside oneDNN's primitive for the same job, on the layers
// of the note's network, batches of 32: ops_bench [ROUNDS] [FILE.json].
//
// Ours is timed by the engine, in a small network around the one layer: what a
// step spends there. In each round ours runs and then the library's; a time is
// the lowest of a round's runs, a row the median of the rounds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "core/isa.h"
#include "core/machine.h"
#include "library_ops.h"

namespace {

using namespace alexnet;

constexpr int64_t kImages = 32;
constexpr int kRunsARound = 5;
constexpr char kLayer[] = "op";  // the one that is timed

// Seconds of one run.
using Timed = std::function<double()>;

// An engine with a network around the layer kLayer, stepped once a run.
class Ours {
 public:
  Ours(ModelSpec model, const Shape3& source) : pixels_(Pixels(source)) {
    spec_.model = std::move(model);
    spec_.model.arch = "ops";
    spec_.model.classes = 10;
    spec_.source = source;
    spec_.batch_size = spec_.slice_size = kImages;
    spec_.device = Device::kCpu;
    engine_ = MakeEngine(spec_);
    Initialize(*engine_, /*seed=*/0);
  }

  StepResult Step() {
    Batch batch;
    batch.images = {pixels_, spec_.source};
    batch.labels = labels_;
    return engine_->Wait(engine_->TrainStep(
        batch, {.step = 1, .epoch = 0, .learning_rate = 1e-9}));
  }

  double LayerSeconds(double LayerTimes::*part) {
    Step();
    for (const LayerTimes& times : engine_->layer_times()) {
      if (times.layer == kLayer) return times.*part;
    }
    throw std::logic_error("the engine has no such layer");
  }

  const Engine& engine() const { return *engine_; }

 private:
  static std::vector<uint8_t> Pixels(const Shape3& shape) {
    std::vector<uint8_t> pixels(
        static_cast<size_t>(kImages * shape.elements()));
    for (size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<uint8_t>(i * 37 % 251);
    }
    return pixels;
  }

  EngineSpec spec_;
  std::unique_ptr<Engine> engine_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_ = std::vector<int32_t>(kImages);
};

// One job, done by both.
struct Op {
  std::string name;
  std::string shape;
  std::string library;  // what its primitive does
  double flops = 0;     // by the plain formula; 0: not a matter of arithmetic
  std::function<Timed()> make_ours;
  std::function<LibraryOp()> make_library;
};

Timed LayerOf(const ModelSpec& model, double LayerTimes::*part) {
  const auto ours = std::make_shared<Ours>(model, model.input);
  return [ours, part] { return ours->LayerSeconds(part); };
}

struct ConvLayer {
  const char* name;
  Shape3 input;
  Conv2dSpec conv;
};

Conv2dSpec Square(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                  int64_t pad) {
  return {.in_channels = in,
          .out_channels = out,
          .kernel = {kernel, kernel},
          .stride = {stride, stride},
          .padding = {pad, pad, pad, pad}};
}

// The convolution between a 1×1 one, which makes its input and asks for the
// data's gradient, and a linear layer. What a pass does not need is frozen.
ModelSpec Around(const ConvLayer& layer, const Shape3& output, Pass pass) {
  ModelSpec model;
  model.input = {3, layer.input.height, layer.input.width};
  if (layer.input.channels != 3) {
    model.layers.push_back({.name = "before",
                            .op = Square(3, layer.input.channels, 1, 1, 0),
                            .frozen = pass == Pass::kWeights});
  }
  model.layers.push_back(
      {.name = kLayer, .op = layer.conv, .frozen = pass == Pass::kData});
  model.layers.push_back({.name = "flatten", .op = FlattenSpec{}});
  model.layers.push_back(
      {.name = "after", .op = LinearSpec{output.elements(), 10}});
  return model;
}

Shape3 OutputOf(const ConvLayer& layer) {
  const Conv2dSpec& c = layer.conv;
  const int64_t side =
      (layer.input.height + 2 * c.padding.top - c.kernel.height) /
          c.stride.height +
      1;
  return {c.out_channels, side, side};
}

void AddConv(const ConvLayer& layer, std::vector<Op>& ops) {
  const Shape3 output = OutputOf(layer);
  const Conv2dSpec& c = layer.conv;
  const double flops =
      2.0 * static_cast<double>(kImages * output.elements() * c.in_channels *
                                c.kernel.height * c.kernel.width);
  const std::string shape =
      std::to_string(c.in_channels) + "x" + std::to_string(layer.input.height) +
      "x" + std::to_string(layer.input.width) + " to " +
      std::to_string(c.out_channels) + ", " + std::to_string(c.kernel.height) +
      "x" + std::to_string(c.kernel.width) + "/" +
      std::to_string(c.stride.height);
  const auto add = [&](const char* name, Pass pass, double LayerTimes::*part) {
    ops.push_back({std::string(layer.name) + " " + name, shape, "direct", flops,
                   [=] { return LayerOf(Around(layer, output, pass), part); },
                   [=] {
                     return LibraryConv(layer.conv, layer.input, output,
                                        kImages, pass);
                   }});
  };
  add("forward", Pass::kForward, &LayerTimes::forward);
  if (c.in_channels != 3) add("data", Pass::kData, &LayerTimes::backward);
  add("weights", Pass::kWeights, &LayerTimes::backward);
}

// Of 3×3 with stride 2, between a 1×1 convolution, which makes its input and
// asks for its gradient, and a linear layer.
void AddPool(const char* name, const Shape3& input, std::vector<Op>& ops) {
  const MaxPool2dSpec pool = {.kernel = {3, 3}, .stride = {2, 2}};
  const Shape3 output = {input.channels, (input.height - 3) / 2 + 1,
                         (input.width - 3) / 2 + 1};
  ModelSpec model;
  model.input = {3, input.height, input.width};
  model.layers = {{.name = "before", .op = Square(3, input.channels, 1, 1, 0)},
                  {.name = kLayer, .op = pool},
                  {.name = "flatten", .op = FlattenSpec{}},
                  {.name = "after", .op = LinearSpec{output.elements(), 10}}};
  const std::string shape = std::to_string(input.channels) + "x" +
                            std::to_string(input.height) + "x" +
                            std::to_string(input.width) + ", 3x3/2";
  const auto add = [&](const char* what, Pass pass, double LayerTimes::*part) {
    ops.push_back(
        {std::string(name) + " " + what, shape, "max pooling", 0,
         [=] { return LayerOf(model, part); },
         [=] { return LibraryPool(pool, input, output, kImages, pass); }});
  };
  add("forward", Pass::kForward, &LayerTimes::forward);
  add("backward", Pass::kData, &LayerTimes::backward);
}

// A flat input of side × side, then `layer`, then ten classes.
ModelSpec Flat(int64_t side, LayerOp layer, int64_t out) {
  ModelSpec model;
  model.input = {1, side, side};
  model.layers = {{.name = "flatten", .op = FlattenSpec{}},
                  {.name = kLayer, .op = std::move(layer)},
                  {.name = "after", .op = LinearSpec{out, 10}}};
  return model;
}

void AddLinear(const char* name, int64_t side, int64_t out,
               std::vector<Op>& ops) {
  const LinearSpec linear = {side * side, out};
  const double flops = 2.0 * static_cast<double>(kImages * side * side * out);
  const std::string shape =
      std::to_string(side * side) + " to " + std::to_string(out);
  const ModelSpec model = Flat(side, linear, out);
  ops.push_back({std::string(name) + " forward", shape, "inner product", flops,
                 [=] { return LayerOf(model, &LayerTimes::forward); },
                 [=] { return LibraryLinear(linear, kImages); }});
  ops.push_back({std::string(name) + " weights, Adam", shape,
                 "inner product, Adam's loop", flops,
                 [=] { return LayerOf(model, &LayerTimes::update); },
                 [=] { return LibraryLinearUpdate(linear, kImages); }});
}

void AddElementwise(std::vector<Op>& ops) {
  ops.push_back({"dropout forward", "9216", "multiplying by a given mask", 0,
                 [] {
                   return LayerOf(Flat(96, DropoutSpec{0.5}, 9216),
                                  &LayerTimes::forward);
                 },
                 [] { return LibraryMask(kImages * 9216); }});
  const Shape3 from = {3, 32, 32};
  const Shape3 to = {3, 227, 227};
  ops.push_back({"resize, normalise", "32x32 to 227x227",
                 "resampling of float32", 0,
                 [=]() -> Timed {
                   ModelSpec model;
                   model.input = to;
                   model.layers = {
                       {.name = "flatten", .op = FlattenSpec{}},
                       {.name = "after", .op = LinearSpec{to.elements(), 10}}};
                   const auto ours = std::make_shared<Ours>(model, from);
                   return [ours] { return ours->Step().times.input; };
                 },
                 [=] { return LibraryResize(from, to, kImages); }});
}

std::vector<Op> AllOps() {
  std::vector<Op> ops;
  for (const ConvLayer& layer :
       {ConvLayer{"conv1", {3, 227, 227}, Square(3, 96, 11, 4, 1)},
        ConvLayer{"conv2", {96, 27, 27}, Square(96, 256, 5, 1, 2)},
        ConvLayer{"conv3", {256, 13, 13}, Square(256, 384, 3, 1, 1)},
        ConvLayer{"conv4", {384, 13, 13}, Square(384, 384, 3, 1, 1)},
        ConvLayer{"conv5", {384, 13, 13}, Square(384, 256, 3, 1, 1)}}) {
    AddConv(layer, ops);
  }
  AddPool("pool1", {96, 55, 55}, ops);
  AddPool("pool2", {256, 27, 27}, ops);
  AddPool("pool5", {256, 13, 13}, ops);
  AddLinear("fc6", 96, 4096, ops);
  AddLinear("fc7", 64, 4096, ops);
  AddElementwise(ops);
  return ops;
}

double SecondsOf(const LibraryOp& op) {
  const auto start = std::chrono::steady_clock::now();
  op();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

double Lowest(const Timed& run) {
  double lowest = run();
  for (int i = 1; i < kRunsARound; ++i) lowest = std::min(lowest, run());
  return lowest;
}

nlohmann::ordered_json Spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {{"median", values[values.size() / 2]},
          {"lowest", values.front()},
          {"highest", values.back()}};
}

nlohmann::ordered_json Measure(const Op& op, int rounds) {
  const Timed ours = op.make_ours();
  const LibraryOp library = op.make_library();
  ours();  // the first run of either meets cold memory
  library();
  std::vector<double> our_s, library_s, ratios;
  for (int i = 0; i < rounds; ++i) {
    our_s.push_back(Lowest(ours));
    library_s.push_back(Lowest([&] { return SecondsOf(library); }));
    ratios.push_back(library_s.back() / our_s.back());
  }
  return {{"op", op.name},           {"shape", op.shape},
          {"library", op.library},   {"gflop", op.flops / 1e9},
          {"ours_s", Spread(our_s)}, {"library_s", Spread(library_s)},
          {"ratio", Spread(ratios)}};
}

void PrintRow(const nlohmann::ordered_json& row) {
  const auto median = [&](const char* what) {
    return row[what]["median"].get<double>();
  };
  const double gflop = row["gflop"];
  const auto rate = [&](double seconds) {
    return gflop > 0 ? std::to_string(std::lround(gflop / seconds)) : "-";
  };
  std::printf("%-20s %-26s %8.2f %7s %8.2f %7s %6.2f (%.2f to %.2f)  %s\n",
              row["op"].get<std::string>().c_str(),
              row["shape"].get<std::string>().c_str(), 1e3 * median("ours_s"),
              rate(median("ours_s")).c_str(), 1e3 * median("library_s"),
              rate(median("library_s")).c_str(), median("ratio"),
              row["ratio"]["lowest"].get<double>(),
              row["ratio"]["highest"].get<double>(),
              row["library"].get<std::string>().c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
  if (rounds < 1) {
    std::fprintf(stderr, "usage: ops_bench [ROUNDS] [FILE.json]\n");
    return 2;
  }
  nlohmann::ordered_json json = {{"cpu", CpuModel()},
                                 {"isa", Name(SelectedIsa())},
                                 {"threads", UsableCores()},
                                 {"batch_size", kImages},
                                 {"rounds", rounds}};
  std::printf("%-20s %-26s %8s %7s %8s %7s %6s\n", "", "", "ours ms", "GFLOP/s",
              "oneDNN", "GFLOP/s", "ratio");
  for (const Op& op : AllOps()) {
    json["results"].push_back(Measure(op, rounds));
    PrintRow(json["results"].back());
  }
  if (argc > 2) std::ofstream(argv[2]) << json.dump(1) << '\n';
  return 0;
}
