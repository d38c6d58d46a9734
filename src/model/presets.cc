// SPDX-License-Identifier: MIT
// The table of networks known by name.
#include "model/presets.h"

#include "alexnet/error.h"

namespace alexnet {
namespace {

struct Preset {
  std::string_view name;
  ModelSpec (*make)(const PresetOptions&);
};

constexpr Preset kPresets[] = {{"note", NotePreset},
                               {"alexnet2012", Alexnet2012Preset},
                               {"alexnet2012-source", Alexnet2012SourcePreset},
                               {"caffe-alexnet", CaffeAlexnetPreset},
                               {"caffenet", CaffenetPreset},
                               {"torchvision", TorchvisionPreset},
                               {"cifar-small", CifarSmallPreset},
                               {"lenet5", Lenet5Preset}};

}  // namespace

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

ModelSpec MakePreset(std::string_view arch, const PresetOptions& options) {
  for (const Preset& preset : kPresets) {
    if (preset.name != arch) continue;
    ModelSpec model = preset.make(options);
    InferLayers(model);  // throws unless the options make sense
    return model;
  }
  std::string known;
  for (const std::string& name : PresetNames()) known += " " + name;
  throw UsageError(Concat("unknown network '", arch, "'; known are:", known));
}

}  // namespace alexnet
