// SPDX-License-Identifier: MIT
#include "train/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "alexnet/error.h"
#include "alexnet/weights.h"
#include "io/safetensors.h"

namespace alexnet {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormat[] = "alexnet checkpoint 2";

struct Group {
  State state;
  const char* prefix;
};
constexpr Group kGroups[] = {{State::kParameter, "parameter/"},
                             {State::kFirstMoment, "first_moment/"},
                             {State::kSecondMoment, "second_moment/"},
                             {State::kAverage, "average/"}};

bool Kept(const EngineSpec& spec, State state) {
  const std::vector<State> kept = TrainingStates(spec);
  return state == State::kParameter ||
         std::find(kept.begin(), kept.end(), state) != kept.end();
}

// An engine's state as named tensors.
class StateSource : public TensorSource {
 public:
  explicit StateSource(const Engine& engine) : engine_(engine) {
    for (const Group& group : kGroups) {
      if (!Kept(engine.spec(), group.state)) continue;
      for (ParameterInfo& info : Parameters(engine.spec().model)) {
        tensors_.push_back({group.prefix + info.name, info.shape});
        sources_.emplace_back(group.state, std::move(info.name));
      }
    }
  }

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void Read(size_t index, std::span<float> values) const override {
    engine_.Read(sources_[index].first, sources_[index].second, values);
  }
  std::span<const float> View(size_t index) const override {
    return engine_.View(sources_[index].first, sources_[index].second);
  }

  // Fills the same place of another engine of this network.
  void Write(Engine& engine, size_t index,
             std::span<const float> values) const {
    engine.Write(sources_[index].first, sources_[index].second, values);
  }

 private:
  const Engine& engine_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::pair<State, std::string>> sources_;
};

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

StringMap ToMetadata(const CheckpointInfo& info) {
  const TrainPosition& p = info.position;
  return {{"alexnet.format", kFormat},
          {"options", OptionsToJson(info.options)},
          {"position", Dump({{"step", p.step},
                             {"epoch", p.epoch},
                             {"in_epoch", p.in_epoch},
                             {"loss_sum", p.loss_sum},
                             {"correct", p.correct},
                             {"images", p.images},
                             {"seconds", p.seconds},
                             {"plateau_factor", p.plateau.factor},
                             {"plateau_best", p.plateau.best},
                             {"plateau_bad_epochs", p.plateau.bad_epochs},
                             {"best_epoch", p.best.epoch},
                             {"best_accuracy", p.best.accuracy},
                             {"best_loss", p.best.loss}})},
          {"kernel_plan", info.kernel_plan},
          {"isa", info.isa},
          {"library", info.library},
          {"fingerprint", info.fingerprint},
          {"class_names", Dump(info.class_names)}};
}

const std::string& Find(const StringMap& metadata, const std::string& key,
                        const std::string& file) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    throw Error(Concat(file, ": header: expected \"", key,
                       "\" in __metadata__, found none; is it a checkpoint?"));
  }
  return found->second;
}

TrainPosition PositionFrom(const Json& json, const std::string& file) {
  const auto number = [&](const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned()) {
      throw Error(
          Concat(file, ": position: expected a count as \"", key, "\""));
    }
    return found->get<int64_t>();
  };
  const auto real = [&](const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number()) {
      throw Error(
          Concat(file, ": position: expected a number as \"", key, "\""));
    }
    return found->get<double>();
  };
  return {.step = number("step"),
          .epoch = number("epoch"),
          .in_epoch = number("in_epoch"),
          .loss_sum = real("loss_sum"),
          .correct = number("correct"),
          .images = number("images"),
          .plateau = {.factor = real("plateau_factor"),
                      .best = real("plateau_best"),
                      .bad_epochs = number("plateau_bad_epochs")},
          .best = {.epoch = static_cast<int64_t>(real("best_epoch")),
                   .accuracy = real("best_accuracy"),
                   .loss = real("best_loss")},
          .seconds = real("seconds")};
}

CheckpointInfo FromMetadata(const StringMap& metadata,
                            const std::string& file) {
  const std::string& format = Find(metadata, "alexnet.format", file);
  if (format != kFormat) {
    throw Error(
        Concat(file, ": expected \"", kFormat, "\", found \"", format, "\""));
  }
  CheckpointInfo info;
  info.options = OptionsFromJson(Find(metadata, "options", file), file);
  const Json position =
      Json::parse(Find(metadata, "position", file), nullptr, false);
  info.position = PositionFrom(position, file);
  info.kernel_plan = Find(metadata, "kernel_plan", file);
  info.isa = Find(metadata, "isa", file);
  const auto library = metadata.find("library");
  if (library != metadata.end()) info.library = library->second;
  info.fingerprint = Find(metadata, "fingerprint", file);
  const Json names =
      Json::parse(Find(metadata, "class_names", file), nullptr, false);
  if (!names.is_array()) throw Error(file + ": class_names: expected a list");
  for (const Json& name : names) {
    if (!name.is_string()) throw Error(file + ": class_names: expected texts");
    info.class_names.push_back(name);
  }
  return info;
}

// Reads all of it, so that nothing is begun with a file that is damaged.
CheckpointInfo Verify(const fs::path& path) {
  const SafetensorsFile file(path);
  CheckpointInfo info = FromMetadata(file.metadata(), path.string());
  if (!file.has_checksums()) {
    throw Error(path.string() + ": expected checksums, found none");
  }
  std::vector<float> values;
  for (size_t i = 0; i < file.tensors().size(); ++i) {
    values.resize(static_cast<size_t>(file.tensors()[i].elements()));
    file.Read(i, values);
  }
  return info;
}

[[noreturn]] void Fail(const fs::path& path, const char* what, int error) {
  throw Error(Concat(path.string(), ": ", what, ": ", std::strerror(error)));
}

void Rename(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    Fail(to, "cannot be replaced", errno);
  }
}

void SyncFolder(const fs::path& folder) {
  const int descriptor =
      open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) Fail(folder, "cannot be opened", errno);
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  if (error != 0) Fail(folder, "cannot be written", error);
}

}  // namespace

CheckpointStore::CheckpointStore(const fs::path& folder)
    : folder_(folder.empty() ? "." : folder),
      current_(folder_ / kCheckpointFile),
      previous_(folder_ / kPreviousCheckpointFile) {}

bool CheckpointStore::exists() const {
  std::error_code ignored;
  return fs::exists(current_, ignored) || fs::exists(previous_, ignored);
}

void CheckpointStore::Save(const Engine& engine, const CheckpointInfo& info) {
  const fs::path next = folder_ / kNextCheckpointFile;
  WriteSafetensors(next, StateSource(engine), ToMetadata(info));
  std::error_code ignored;
  try {
    if (!current_is_damaged_ && fs::exists(current_, ignored)) {
      Rename(current_, previous_);
    }
    Rename(next, current_);
  } catch (const Error&) {
    fs::remove(next, ignored);
    throw;
  }
  SyncFolder(folder_);
  current_is_damaged_ = false;
}

CheckpointInfo CheckpointStore::Load(std::string& warning) {
  warning.clear();
  std::string reason;
  try {
    loaded_ = current_;
    return Verify(current_);
  } catch (const Error& error) {
    reason = error.what();
    current_is_damaged_ = true;
  }
  try {
    loaded_ = previous_;
    CheckpointInfo info = Verify(previous_);
    warning = Concat("the newest checkpoint cannot be used (", reason,
                     "); taking the one before, ", previous_.string());
    return info;
  } catch (const Error& error) {
    throw Error(
        Concat("neither checkpoint can be used: ", reason, "; ", error.what()));
  }
}

void CheckpointStore::Restore(Engine& engine) const {
  const SafetensorsFile file(loaded_);
  const StateSource wanted(engine);
  if (file.tensors().size() != wanted.tensors().size()) {
    throw Error(Concat(loaded_.string(), ": expected ", wanted.tensors().size(),
                       " tensors, found ", file.tensors().size()));
  }
  std::vector<float> values;
  for (size_t i = 0; i < wanted.tensors().size(); ++i) {
    const TensorInfo& tensor = wanted.tensors()[i];
    const auto found = std::find_if(
        file.tensors().begin(), file.tensors().end(),
        [&](const TensorInfo& other) { return other.name == tensor.name; });
    if (found == file.tensors().end() || found->shape != tensor.shape) {
      throw Error(Concat(loaded_.string(), ": tensor ", tensor.name,
                         found == file.tensors().end()
                             ? ": not there"
                             : ": not of the network's shape"));
    }
    values.resize(static_cast<size_t>(tensor.elements()));
    file.Read(static_cast<size_t>(found - file.tensors().begin()), values);
    wanted.Write(engine, i, values);
  }
}

}  // namespace alexnet
