// SPDX-License-Identifier: MIT
// alexnet info: a network layer by layer.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "alexnet/model.h"
#include "output.h"
#include "plan.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

constexpr int64_t kBytesPerValue = 4;
// Weight, gradient and Adam's two moments.
constexpr int64_t kTrainingCopies = 4;

struct Options {
  std::string arch = "note";
  int64_t classes = 10;
  bool plan = false;
  int64_t batch_size = 32;
  int64_t slice_size = 0;
  int64_t images = 0;  // held in memory
  std::string precision = "fp32";
  int threads = 0;
  bool inference = false;
  bool json = false;
};

struct Totals {
  int64_t parameters = 0;
  int64_t macs = 0;
  int64_t activation_bytes = 0;  // of one image
};

// ReLU and dropout work in place, Flatten only renames.
int64_t ActivationBytes(const LayerInfo& layer) {
  const bool in_place = layer.type == "ReLU" || layer.type == "Dropout" ||
                        layer.type == "Flatten";
  return in_place ? 0 : layer.output.elements() * kBytesPerValue;
}

Totals Sum(const ModelSpec& model, const std::vector<LayerInfo>& layers) {
  Totals totals;
  totals.activation_bytes = model.input.elements() * kBytesPerValue;
  for (const LayerInfo& layer : layers) {
    totals.parameters += layer.parameters;
    totals.macs += layer.macs;
    totals.activation_bytes += ActivationBytes(layer);
  }
  return totals;
}

// As PyTorch counts: a flat vector has one dimension.
std::vector<int64_t> Dimensions(Shape3 shape) {
  if (shape.height == 1 && shape.width == 1) return {shape.channels};
  return {shape.channels, shape.height, shape.width};
}

std::string ShapeText(Shape3 shape) {
  return fmt::format("[b,{}]", fmt::join(Dimensions(shape), ","));
}

// Empty where nothing is special.
std::string RatesText(const RateSpec& rates) {
  std::string text;
  const auto add = [&](const char* what, double factor) {
    if (factor != 1) text += fmt::format("; {} × {:g}", what, factor);
  };
  add("rate", rates.weight_lr);
  add("decay", rates.weight_decay);
  add("bias rate", rates.bias_lr);
  add("bias decay", rates.bias_decay);
  return text;
}

std::string Table(const ModelSpec& model, const std::vector<LayerInfo>& layers,
                  const Totals& totals) {
  constexpr auto kRow = "{:<15} {:<18} {:<15} {:>12} {:>15} {:>10}\n";
  std::string text = fmt::format("{}: input {}, {} classes\n\n", model.arch,
                                 ShapeText(model.input), model.classes);
  text += fmt::format(kRow, "layer", "type", "output", "parameters", "MACs",
                      "memory");
  for (const LayerInfo& layer : layers) {
    text += fmt::format(kRow, layer.name, layer.type, ShapeText(layer.output),
                        Thousands(layer.parameters), Thousands(layer.macs),
                        Bytes(static_cast<double>(ActivationBytes(layer))));
  }
  const double weights =
      static_cast<double>(totals.parameters * kBytesPerValue);
  text += fmt::format(kRow, "total", "", "", Thousands(totals.parameters),
                      Thousands(totals.macs),
                      Bytes(static_cast<double>(totals.activation_bytes)));
  text += "\nInitial values:\n";
  for (const ParameterInfo& parameter : Parameters(model)) {
    if (parameter.bias) continue;
    text += fmt::format("  {:<15} {}{}\n", model.layers[parameter.layer].name,
                        Text(parameter.init),
                        RatesText(model.layers[parameter.layer].rates));
  }
  text += fmt::format(
      "\nMACs and memory (input and activations, float32) are for one image, "
      "forward.\nParameters take {}; to train them with Adam, {}.\n",
      Bytes(weights), Bytes(kTrainingCopies * weights));
  return text;
}

nlohmann::ordered_json AsJson(const ModelSpec& model,
                              const std::vector<LayerInfo>& layers,
                              const Totals& totals) {
  nlohmann::ordered_json json;
  json["arch"] = model.arch;
  json["classes"] = model.classes;
  json["input"] = Dimensions(model.input);
  json["parameters"] = totals.parameters;
  json["macs"] = totals.macs;
  json["parameter_bytes"] = totals.parameters * kBytesPerValue;
  json["activation_bytes"] = totals.activation_bytes;
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerInfo& layer = layers[i];
    nlohmann::ordered_json entry = {
        {"name", layer.name},
        {"type", layer.type},
        {"output", Dimensions(layer.output)},
        {"parameters", layer.parameters},
        {"macs", layer.macs},
        {"activation_bytes", ActivationBytes(layer)}};
    if (layer.parameters > 0) entry["init"] = Text(model.layers[i].init);
    json["layers"].push_back(std::move(entry));
  }
  return json;
}

// CIFAR's images, as they lie in memory.
Plan PlanOf(const Options& options, const ModelSpec& model) {
  EngineSpec spec;
  spec.model = model;
  spec.source = {model.input.channels, 32, 32};
  spec.batch_size = options.batch_size;
  spec.slice_size = options.slice_size;
  spec.precision = ParsePrecision(options.precision);
  spec.training = !options.inference;
  spec.threads = options.threads;
  return MakePlan(spec, options.images * spec.source.elements());
}

int Info(const Options& options) {
  const ModelSpec model =
      MakePreset(options.arch, {.classes = options.classes});
  const std::vector<LayerInfo> layers = InferLayers(model);
  const Totals totals = Sum(model, layers);
  std::optional<Plan> plan;
  if (options.plan) plan = PlanOf(options, model);
  if (options.json) {
    nlohmann::ordered_json json = AsJson(model, layers, totals);
    if (plan) json["plan"] = AsJson(*plan);
    Write(json.dump(2) + "\n");
  } else {
    Write(Table(model, layers, totals) + (plan ? AsText(*plan) : ""));
  }
  return 0;
}

}  // namespace

Action AddInfo(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("--arch", options->arch,
                 fmt::format("network ({})", fmt::join(PresetNames(), ", ")))
      ->capture_default_str();
  app.add_option("--classes", options->classes, "outputs of the last layer")
      ->capture_default_str();
  CLI::Option* plan = app.add_flag(
      "--plan", options->plan,
      "also the memory and the floor of a step, and its algorithms");
  app.add_option("--batch-size", options->batch_size, "images a step")
      ->needs(plan)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--slice-size", options->slice_size,
                 "images worked on at once (0: as many as suit the machine)")
      ->needs(plan)
      ->check(CLI::NonNegativeNumber);
  app.add_option("--images", options->images,
                 "32×32 images held in memory: those of a folder of binary "
                 "CIFAR-10 files and of pictures are not")
      ->needs(plan)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--precision", options->precision, "fp32, tf32 or bf16")
      ->needs(plan)
      ->capture_default_str();
  app.add_option("--threads", options->threads, "0: all cores")
      ->needs(plan)
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--inference", options->inference, "plan no training")
      ->needs(plan);
  app.add_flag("--json", options->json, "one JSON object on standard output");
  return [options] { return Info(*options); };
}

}  // namespace alexnet::cli
