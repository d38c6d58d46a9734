// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include "alexnet/error.h"
#include "train/run_options.h"

namespace alexnet {
namespace {

using Json = nlohmann::ordered_json;

// Checks the type strictly: get<> would turn 1.5 into 1 and −1 into 2⁶⁴−1.
void Get(const Json& json, std::string& value) {
  if (!json.is_string()) throw Error("expected a text");
  value = json.get<std::string>();
}
void Get(const Json& json, bool& value) {
  if (!json.is_boolean()) throw Error("expected true or false");
  value = json.get<bool>();
}
void Get(const Json& json, int64_t& value) {
  const bool fits =
      json.is_number_integer() && (!json.is_number_unsigned() ||
                                   json.get<uint64_t>() <= uint64_t{INT64_MAX});
  if (!fits) throw Error("expected a whole number");
  value = json.get<int64_t>();
}
void Get(const Json& json, uint64_t& value) {
  if (!json.is_number_unsigned()) {
    throw Error("expected a whole number that is not negative");
  }
  value = json.get<uint64_t>();
}
void Get(const Json& json, double& value) {
  if (!json.is_number()) throw Error("expected a number");
  value = json.get<double>();
}
void Get(const Json& json, std::array<float, 3>& value) {
  if (!json.is_array() || json.size() != value.size()) {
    throw Error("expected three numbers");
  }
  for (size_t i = 0; i < value.size(); ++i) {
    double number = 0;
    Get(json[i], number);
    value[i] = static_cast<float>(number);
  }
}

}  // namespace

std::string OptionsToJson(const RunOptions& options) {
  Json json = Json::object();
  ForEachOption(options, [&](const auto& value, const OptionInfo& info) {
    if (info.on_resume != OnResume::kSession) {
      json[std::string(info.name)] = value;
    }
  });
  // A path that is no UTF-8 must not end the run.
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

RunOptions OptionsFromJson(std::string_view text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    throw Error(where + ": options: expected a JSON object");
  }
  RunOptions options;
  size_t known = 0;
  ForEachOption(options, [&](auto& value, const OptionInfo& info) {
    if (info.on_resume == OnResume::kSession) return;
    const auto found = json.find(std::string(info.name));
    if (found == json.end()) {
      throw Error(Concat(where, ": options: ", info.name, " is missing"));
    }
    ++known;
    try {
      Get(*found, value);
    } catch (const Error& error) {
      throw Error(Concat(where, ": options: ", info.name, ": ", error.what(),
                         ", found ", found->dump()));
    }
  });
  if (known != json.size()) {
    throw Error(Concat(where, ": options: expected ", known, ", found ",
                       json.size(), "; written by a later program?"));
  }
  return options;
}

}  // namespace alexnet
