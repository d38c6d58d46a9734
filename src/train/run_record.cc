// SPDX-License-Identifier: MIT
#include "train/run_record.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/isa.h"
#include "core/machine.h"
#include "io/atomic_file.h"
#include "train/recipes.h"

namespace alexnet {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormatVersion = 1;

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  const size_t length =
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text, length};
}

Json Machine() {
  utsname system{};
  uname(&system);
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  return {{"cpu", CpuModel()},
          {"cores", UsableCores()},
          {"instructions", std::string(Name(SelectedIsa()))},
          {"memory_mib", pages * page_bytes / (1 << 20)},
          {"system", std::string(system.sysname) + " " + system.release},
          {"architecture", system.machine}};
}

Json MemoryPlan(const Engine& engine) {
  Json plan = Json::object();
  for (const MemoryUse& use : engine.Memory()) {
    plan[use.purpose] = plan.value(use.purpose, int64_t{0}) + use.bytes;
  }
  return plan;
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

RunRecord::RunRecord(std::filesystem::path file, RunOptions options,
                     const Engine& engine, const Dataset& training,
                     int64_t validation_images, const TrainPosition& start)
    : file_(std::move(file)), options_(std::move(options)), started_(Now()) {
  const EngineSpec& spec = engine.spec();
  Json fixed;
  fixed["versions"] = {{"alexnet", ALEXNET_VERSION}, {"compiler", __VERSION__}};
  fixed["recipe"] = std::string(FindRecipe(options_.recipe).text);
  fixed["machine"] = Machine();
  fixed["engine"] = {{"device", std::string(Name(spec.device))},
                     {"precision", std::string(Name(spec.precision))},
                     {"threads", spec.threads},
                     {"slice_size", spec.slice_size},
                     {"kernel_plan", engine.kernel_plan()},
                     {"memory_bytes", MemoryPlan(engine)}};
  fixed["parameters"] = ParameterCount(spec.model);
  fixed["images"] = {{"training", training.size()},
                     {"validation", validation_images},
                     {"classes", training.class_names()},
                     {"fingerprint", training.fingerprint()}};
  fixed["first_step"] = start.step + 1;
  fixed_ = Dump(fixed);
}

void RunRecord::Write(const std::string& result, const TrainPosition& position,
                      const std::string& error) const {
  Json json;
  json["format_version"] = kFormatVersion;
  json["result"] = result;
  if (!error.empty()) json["error"] = error;
  json["started"] = started_;
  json["ended"] = result == "running" ? Json() : Json(Now());
  json["steps"] = position.step;
  json["epochs_done"] = position.epoch;
  json["options"] = Json::parse(OptionsToJson(options_));
  json.update(Json::parse(fixed_));
  WriteFileAtomically(file_, Dump(json) + '\n');
}

std::string RecordedRecipe(const std::filesystem::path& file) {
  std::ifstream text(file);
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const Json::json_pointer place("/options/recipe");
  if (!json.contains(place) || !json.at(place).is_string()) return {};
  return json.at(place).get<std::string>();
}

}  // namespace alexnet
