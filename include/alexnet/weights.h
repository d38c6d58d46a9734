// SPDX-License-Identifier: MIT
// Weight files: PyTorch's .pth and safetensors, both ways.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/input_transform.h"
#include "alexnet/model.h"

namespace alexnet {

struct TensorInfo {
  std::string name;
  std::vector<int64_t> shape;
  int64_t elements() const;
};

// Named float32 tensors that can be read one at a time, so that writing a
// model never needs a second copy of it.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual const std::vector<TensorInfo>& tensors() const = 0;
  // `values` has tensors()[index].elements() places.
  virtual void Read(size_t index, std::span<float> values) const = 0;
  // What Read would copy, where it lies, if it lies somewhere; else empty.
  virtual std::span<const float> View(size_t) const { return {}; }
};

// A tensor's values: where they lie, else copied into `room`.
std::span<const float> ValuesOf(const TensorSource& tensors, size_t index,
                                std::vector<float>& room);

// How pictures of any size become the images that the network was trained on,
// before the engine resizes them to its input.
struct PictureTransform {
  int64_t size = 0;          // side of the images; 0: that of the input
  int64_t shorter_edge = 0;  // is resized to this, and the middle taken; 0: the
                             // whole picture is resized
  int64_t patch = 0;         // the middle of the image, of this side; 0: all
  bool operator==(const PictureTransform&) const = default;
};

// What travels with the weights, so that a saved model needs no options. In a
// .pth it is a zip record of its own, which PyTorch ignores; in safetensors
// it is in __metadata__.
struct ModelMetadata {
  static constexpr int kFormatVersion = 1;
  std::string arch;
  Shape3 input;  // of the network
  std::vector<std::string> class_names;
  InputTransform transform;
  PictureTransform pictures = {};
};

// A weight file, opened and checked; tensors are read on demand. Values of
// other types (half, bfloat16, double) are converted to float32.
class WeightFile : public TensorSource {
 public:
  // Absent in files that are not ours.
  virtual const std::optional<ModelMetadata>& metadata() const = 0;
  virtual std::string format() const = 0;  // "pth", "pth (legacy)", …
};

// Recognises the format by content. Common wrappers of a state_dict
// ("state_dict", "model", "model_state_dict", "net") and prefixes ("module.",
// "_orig_mod.") are taken off. Nothing in the file is ever executed. Throws
// Error naming file, place, expected and found.
std::unique_ptr<WeightFile> OpenWeights(const std::filesystem::path& path);

// Format by extension: .pth and .pt, or .safetensors; UsageError otherwise.
// The file appears whole or not at all.
void SaveWeights(const std::filesystem::path& path, const TensorSource& tensors,
                 const ModelMetadata& metadata);

// The engine's parameters, as a source for SaveWeights. The engine must
// outlive it.
std::unique_ptr<TensorSource> ParametersOf(const Engine& engine);

// Fills the engine from a file. Names and shapes must match exactly
// (PyTorch's strict=True); Error lists what is missing, unexpected or of
// another shape.
void LoadParameters(Engine& engine, const TensorSource& tensors,
                    const std::string& file_name);

// Fills the engine from the file of a model that was trained for something
// else. The parameters of the last layer may have another shape: they stay as
// they are. Everything else as in LoadParameters. Returns what was kept.
std::vector<std::string> LoadPretrained(Engine& engine,
                                        const TensorSource& tensors,
                                        const std::string& file_name);

}  // namespace alexnet
