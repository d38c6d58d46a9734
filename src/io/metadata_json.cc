// SPDX-License-Identifier: MIT
#include "io/metadata_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "alexnet/error.h"

namespace alexnet {
namespace {

using nlohmann::ordered_json;

std::array<float, 3> ParseChannels(const ordered_json& values) {
  const auto channels = values.get<std::array<float, 3>>();
  if (values.size() != 3) throw Error("expected a value for each channel");
  return channels;
}

Shape3 ParseShape(const ordered_json& values) {
  const auto extents = values.get<std::vector<int64_t>>();
  constexpr int64_t kLargest = 65536;
  if (extents.size() != 3 || std::ranges::any_of(extents, [](int64_t extent) {
        return extent < 1 || extent > kLargest;
      })) {
    throw Error("input: expected channels, height and width, 1 to 65536");
  }
  return {extents[0], extents[1], extents[2]};
}

void CheckVersion(const ordered_json& json) {
  const auto version = json.at("format_version").get<int64_t>();
  if (version > ModelMetadata::kFormatVersion) {
    throw Error(Concat(
        "format_version ", version, " is newer than this program, which knows ",
        ModelMetadata::kFormatVersion, ": a newer alexnet is needed"));
  }
  if (version < 1) throw Error(Concat("format_version ", version));
}

void CheckTransform(const InputTransform& transform) {
  for (size_t c = 0; c < 3; ++c) {
    if (!std::isfinite(transform.mean[c]) || !std::isfinite(transform.std[c]) ||
        transform.std[c] <= 0) {
      throw Error("mean and std: expected finite values, std above 0");
    }
  }
}

// A side of pixels, 0 for none.
int64_t ParseSide(const ordered_json& json, const char* name, int64_t least,
                  int64_t most) {
  const auto side = json.at(name).get<int64_t>();
  if (side != 0 && (side < least || side > most)) {
    throw Error(Concat("pictures.", name, ": expected 0 or a side of ", least,
                       " to ", most, ", found ", side));
  }
  return side;
}

PictureTransform ParsePictures(const ordered_json& json, const Shape3& input) {
  // What training allows: a file that it wrote must be readable.
  constexpr int64_t kLargest = 16'384;
  PictureTransform pictures;
  pictures.size = ParseSide(json, "size", 1, kLargest);
  const int64_t side =
      pictures.size > 0 ? pictures.size : std::min(input.height, input.width);
  pictures.shorter_edge = ParseSide(json, "shorter_edge", side, kLargest);
  pictures.patch = ParseSide(json, "patch", 1, side);
  return pictures;
}

ModelMetadata Parse(const std::string& text) {
  // More than any list of classes needs.
  constexpr size_t kLongest = 4 << 20;
  constexpr size_t kMostClasses = 100'000;
  if (text.size() > kLongest) {
    throw Error(
        Concat("expected at most ", kLongest, " bytes, found ", text.size()));
  }
  const auto json = ordered_json::parse(text);
  CheckVersion(json);
  ModelMetadata metadata;
  metadata.arch = json.at("arch").get<std::string>();
  metadata.input = ParseShape(json.at("input"));
  metadata.class_names = json.at("class_names").get<std::vector<std::string>>();
  if (metadata.class_names.size() > kMostClasses) {
    throw Error(Concat("more than ", kMostClasses, " classes"));
  }
  metadata.transform.mean = ParseChannels(json.at("mean"));
  metadata.transform.std = ParseChannels(json.at("std"));
  CheckTransform(metadata.transform);
  if (json.contains("pictures")) {
    metadata.pictures = ParsePictures(json.at("pictures"), metadata.input);
  }
  return metadata;
}

}  // namespace

std::string ToJson(const ModelMetadata& metadata) {
  const Shape3& input = metadata.input;
  try {
    ordered_json json = {{"format_version", ModelMetadata::kFormatVersion},
                         {"arch", metadata.arch},
                         {"input", {input.channels, input.height, input.width}},
                         {"class_names", metadata.class_names},
                         {"mean", metadata.transform.mean},
                         {"std", metadata.transform.std}};
    const PictureTransform& pictures = metadata.pictures;
    if (pictures != PictureTransform{}) {
      json["pictures"] = {{"size", pictures.size},
                          {"shorter_edge", pictures.shorter_edge},
                          {"patch", pictures.patch}};
    }
    return json.dump();
  } catch (const ordered_json::type_error&) {
    throw Error("a class name is not UTF-8");
  }
}

ModelMetadata ParseModelMetadata(const std::string& text,
                                 const std::string& file_name) {
  try {
    return Parse(text);
  } catch (const ordered_json::exception& error) {
    throw Error(Concat(file_name, ": model metadata: ", error.what()));
  } catch (const Error& error) {
    throw Error(Concat(file_name, ": model metadata: ", error.what()));
  }
}

}  // namespace alexnet
