// SPDX-License-Identifier: MIT
#include "alexnet/weights.h"

#include <algorithm>
#include <array>
#include <map>

#include "alexnet/error.h"
#include "io/bytes.h"
#include "io/input_file.h"
#include "io/metadata_json.h"
#include "io/safetensors.h"
#include "io/torch_file.h"
#include "io/torch_write.h"

namespace alexnet {
namespace {

constexpr const char* kMetadataKey = "alexnet.model";

class SafetensorsWeights : public WeightFile {
 public:
  explicit SafetensorsWeights(const std::filesystem::path& path) : file_(path) {
    const auto found = file_.metadata().find(kMetadataKey);
    if (found != file_.metadata().end()) {
      metadata_ = ParseModelMetadata(found->second, path.string());
    }
  }
  const std::vector<TensorInfo>& tensors() const override {
    return file_.tensors();
  }
  void Read(size_t index, std::span<float> values) const override {
    file_.Read(index, values);
  }
  const std::optional<ModelMetadata>& metadata() const override {
    return metadata_;
  }
  std::string format() const override { return "safetensors"; }

 private:
  SafetensorsFile file_;
  std::optional<ModelMetadata> metadata_;
};

class EngineParameters : public TensorSource {
 public:
  explicit EngineParameters(const Engine& engine) : engine_(engine) {
    for (auto& parameter : Parameters(engine.spec().model)) {
      tensors_.push_back(
          {std::move(parameter.name), std::move(parameter.shape)});
    }
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void Read(size_t index, std::span<float> values) const override {
    engine_.Read(State::kParameter, tensors_.at(index).name, values);
  }
  std::span<const float> View(size_t index) const override {
    return engine_.View(State::kParameter, tensors_.at(index).name);
  }

 private:
  const Engine& engine_;
  std::vector<TensorInfo> tensors_;
};

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t extent : shape) {
    if (!text.empty()) text += "×";
    text += std::to_string(extent);
  }
  return text.empty() ? "a single value" : text;
}

using TensorsByName = std::map<std::string_view, size_t>;

// What keeps a file's tensors from being the model's, a line each.
std::vector<std::string> Differences(
    const std::vector<ParameterInfo>& parameters, const TensorSource& tensors,
    const TensorsByName& by_name) {
  std::vector<std::string> lines;
  TensorsByName unexpected = by_name;
  for (const ParameterInfo& parameter : parameters) {
    const auto found = by_name.find(parameter.name);
    if (found == by_name.end()) {
      lines.push_back("missing: " + parameter.name);
      continue;
    }
    unexpected.erase(found->first);
    const auto& shape = tensors.tensors()[found->second].shape;
    if (shape != parameter.shape) {
      lines.push_back(Concat(parameter.name, ": expected ",
                             ShapeText(parameter.shape), ", found ",
                             ShapeText(shape)));
    }
  }
  for (const auto& [name, index] : unexpected) {
    lines.push_back("unexpected: " + Quoted(name));
  }
  return lines;
}

[[noreturn]] void ThrowDifferences(const std::string& file_name,
                                   const std::string& arch,
                                   const std::vector<std::string>& lines) {
  constexpr size_t kMostLines = 10;
  std::string message =
      Concat(file_name, ": does not fit the model ", arch, ":");
  for (size_t i = 0; i < std::min(lines.size(), kMostLines); ++i) {
    message += "\n  " + lines[i];
  }
  if (lines.size() > kMostLines) {
    message += Concat("\n  and ", lines.size() - kMostLines, " more");
  }
  throw Error(message);
}

// Writes the `wanted` parameters; the file has those, the `ignored` ones and
// nothing else.
void Load(Engine& engine, const TensorSource& tensors,
          const std::vector<ParameterInfo>& wanted,
          const std::vector<std::string>& ignored,
          const std::string& file_name) {
  TensorsByName by_name;
  for (size_t i = 0; i < tensors.tensors().size(); ++i) {
    by_name[tensors.tensors()[i].name] = i;
  }
  for (const std::string& name : ignored) by_name.erase(name);
  const auto differences = Differences(wanted, tensors, by_name);
  if (!differences.empty()) {
    ThrowDifferences(file_name, engine.spec().model.arch, differences);
  }
  std::vector<float> values;
  for (const ParameterInfo& parameter : wanted) {
    values.resize(static_cast<size_t>(parameter.elements));
    tensors.Read(by_name.at(parameter.name), values);
    engine.Write(State::kParameter, parameter.name, values);
  }
}

std::string FirstBytes(const std::filesystem::path& path) {
  const InputFile file(path);
  // As far as the mark of a tar archive.
  std::string front(std::min<uint64_t>(file.size(), 512), '\0');
  file.ReadAt(0, std::as_writable_bytes(std::span(front)));
  return front;
}

}  // namespace

int64_t TensorInfo::elements() const {
  int64_t elements = 1;
  for (const int64_t extent : shape) elements *= extent;
  return elements;
}

std::unique_ptr<WeightFile> OpenWeights(const std::filesystem::path& path) {
  const std::string front = FirstBytes(path);
  if (front.starts_with("PK\3\4")) return OpenTorchZip(path);
  if (front.starts_with('\x80')) return OpenTorchLegacy(path);
  constexpr size_t kTarMark = 257;
  if (front.size() > kTarMark &&
      std::string_view(front).substr(kTarMark).starts_with("ustar")) {
    throw Error(path.string() +
                ": a tar archive, as PyTorch wrote before version 0.1.10: load "
                "and save it again with a newer PyTorch");
  }
  constexpr size_t kHeaderText = 8;
  if (front.size() > kHeaderText && front[kHeaderText] == '{') {
    return std::make_unique<SafetensorsWeights>(path);
  }
  throw Error(Concat(
      path.string(),
      ": expected a .pth of PyTorch or a safetensors file, "
      "found ",
      front.empty() ? "an empty file"
                    : "a file that begins with " + Quoted(front.substr(0, 8))));
}

void SaveWeights(const std::filesystem::path& path, const TensorSource& tensors,
                 const ModelMetadata& metadata) {
  const std::string extension = path.extension().string();
  if (extension == ".pth" || extension == ".pt") {
    WriteTorch(path, tensors, metadata);
  } else if (extension == ".safetensors") {
    WriteSafetensors(path, tensors, {{kMetadataKey, ToJson(metadata)}});
  } else {
    throw UsageError(Concat(path.string(),
                            ": expected a name that ends in .pth, .pt or "
                            ".safetensors"));
  }
}

std::span<const float> ValuesOf(const TensorSource& tensors, size_t index,
                                std::vector<float>& room) {
  const std::span<const float> view = tensors.View(index);
  if (!view.empty()) return view;
  room.resize(static_cast<size_t>(tensors.tensors()[index].elements()));
  tensors.Read(index, room);
  return room;
}

std::unique_ptr<TensorSource> ParametersOf(const Engine& engine) {
  return std::make_unique<EngineParameters>(engine);
}

void LoadParameters(Engine& engine, const TensorSource& tensors,
                    const std::string& file_name) {
  Load(engine, tensors, Parameters(engine.spec().model), {}, file_name);
}

std::vector<std::string> LoadPretrained(Engine& engine,
                                        const TensorSource& tensors,
                                        const std::string& file_name) {
  std::vector<ParameterInfo> wanted = Parameters(engine.spec().model);
  const size_t head = wanted.back().layer;
  std::vector<std::string> kept;
  for (const ParameterInfo& parameter : wanted) {
    if (parameter.layer != head) continue;
    for (const TensorInfo& tensor : tensors.tensors()) {
      if (tensor.name == parameter.name && tensor.shape != parameter.shape) {
        kept.push_back(parameter.name);
      }
    }
  }
  // Weight and bias belong together.
  if (!kept.empty()) {
    kept.clear();
    for (const ParameterInfo& parameter : wanted) {
      if (parameter.layer == head) kept.push_back(parameter.name);
    }
    std::erase_if(wanted, [&](const auto& p) { return p.layer == head; });
  }
  Load(engine, tensors, wanted, kept, file_name);
  return kept;
}

}  // namespace alexnet
