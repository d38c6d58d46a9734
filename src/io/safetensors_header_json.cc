// SPDX-License-Identifier: MIT
#include "io/safetensors_header_json.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "alexnet/error.h"
#include "io/bytes.h"

namespace alexnet {
namespace {

using nlohmann::json;

// Receives the parser's events. Checking the grammar here, event by event,
// never builds a tree, whose size a hostile header could choose.
class HeaderBuilder : public nlohmann::json_sax<json> {
 public:
  HeaderBuilder(SafetensorsHeader& header, const std::string& file_name)
      : header_(header), file_name_(file_name) {}

  bool null() override { Fail("a null"); }
  bool boolean(bool) override { Fail("a boolean"); }
  bool number_float(number_float_t, const string_t&) override {
    Fail("a fraction");
  }
  bool number_integer(number_integer_t) override { Fail("a negative number"); }
  bool binary(binary_t&) override { Fail("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShape) {
      constexpr size_t kMaxRank = 64;
      if (value > uint64_t{std::numeric_limits<int64_t>::max()} ||
          Entry().shape.size() == kMaxRank) {
        Fail("a shape beyond reason");
      }
      Entry().shape.push_back(static_cast<int64_t>(value));
    } else if (place_ == Place::kOffsets && offsets_ < 2) {
      (offsets_++ == 0 ? Entry().begin : Entry().end) = value;
    } else {
      Fail("a number");
    }
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      header_.metadata[key_] = value;
    } else if (place_ == Place::kEntry && key_ == "dtype") {
      Entry().dtype = value;
    } else {
      Fail("a string");
    }
    return true;
  }

  bool key(string_t& value) override {
    key_ = value;
    switch (place_) {
      case Place::kTop:
        if (!names_.insert(value).second) FailTwice();
        break;
      case Place::kMetadata:
        if (header_.metadata.contains(value)) FailTwice();
        break;
      default:
        SeeField(value == "dtype"          ? 1
                 : value == "shape"        ? 2
                 : value == "data_offsets" ? 4
                                           : 0);
    }
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
    } else if (place_ == Place::kTop && key_ == "__metadata__") {
      place_ = Place::kMetadata;
    } else if (place_ == Place::kTop) {
      place_ = Place::kEntry;
      header_.entries.emplace_back().name = key_;
      seen_ = offsets_ = 0;
    } else {
      Fail("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kEntry && seen_ != 7) {
      throw Error(Concat(file_name_, ": header: tensor ", Quoted(Entry().name),
                         ": expected dtype, shape and data_offsets"));
    }
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::kEntry || key_ == "dtype") Fail("an array");
    place_ = key_ == "shape" ? Place::kShape : Place::kOffsets;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::kOffsets && offsets_ != 2) Fail("not two offsets");
    place_ = Place::kEntry;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const json::exception&) override {
    throw Error(Concat(file_name_, ": header, byte ", position,
                       ": not valid JSON in UTF-8"));
  }

 private:
  enum class Place { kStart, kTop, kMetadata, kEntry, kShape, kOffsets, kEnd };

  [[noreturn]] void Fail(const char* found) const {
    throw Error(Concat(file_name_, ": header, at key ", Quoted(key_),
                       ": found ", found));
  }
  [[noreturn]] void FailTwice() const {
    throw Error(Concat(file_name_, ": header: key ", Quoted(key_),
                       " stands there twice"));
  }
  void SeeField(unsigned bit) {
    if (bit == 0) Fail("an unknown field");
    if (seen_ & bit) FailTwice();
    seen_ |= bit;
  }
  SafetensorsEntry& Entry() { return header_.entries.back(); }

  SafetensorsHeader& header_;
  const std::string& file_name_;
  Place place_ = Place::kStart;
  std::string key_;
  std::unordered_set<std::string> names_;
  unsigned seen_ = 0;  // a bit for each field of the entry
  unsigned offsets_ = 0;
};

}  // namespace

SafetensorsHeader ParseSafetensorsHeader(const std::string& text,
                                         const std::string& file_name) {
  SafetensorsHeader header;
  HeaderBuilder builder(header, file_name);
  json::sax_parse(text, &builder);
  return header;
}

std::string WriteSafetensorsHeader(
    const std::vector<std::pair<std::string, std::string>>& first,
    const SafetensorsHeader& header, const std::string& file_name) {
  nlohmann::ordered_json metadata = nlohmann::ordered_json::object();
  for (const auto& [key, value] : first) metadata[key] = value;
  for (const auto& [key, value] : header.metadata) metadata[key] = value;
  try {
    std::string text = "{\"__metadata__\":" + metadata.dump();
    for (const SafetensorsEntry& entry : header.entries) {
      text += Concat(",", json(entry.name).dump(), ":{\"dtype\":\"",
                     entry.dtype, "\",\"shape\":", json(entry.shape).dump(),
                     ",\"data_offsets\":[", entry.begin, ",", entry.end, "]}");
    }
    return text + "}";
  } catch (const json::type_error&) {
    throw Error(file_name + ": a name or metadata is not UTF-8");
  }
}

}  // namespace alexnet
