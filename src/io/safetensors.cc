// SPDX-License-Identifier: MIT
#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <future>
#include <optional>
#include <set>
#include <utility>

#include "alexnet/error.h"
#include "io/atomic_file.h"
#include "io/bytes.h"
#include "io/safetensors_header_json.h"
#include "io/shape_math.h"

namespace alexnet {
namespace {

constexpr uint64_t kLongestHeader = 100'000'000;
constexpr std::string_view kReserved = "alexnet.crc32";
// The digits of kHeaderCrc count as zeros in the sum over the header.
constexpr const char* kHeaderCrc = "alexnet.crc32.header";
// Those of the tensors, in the order of their bytes, with blanks between.
constexpr const char* kTensorCrcs = "alexnet.crc32.tensors";
constexpr size_t kDigits = 8;
constexpr std::string_view kNoDigits = "00000000";

std::string Hex(uint32_t value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text(kDigits, '0');
  for (size_t i = kDigits; i-- > 0; value >>= 4) text[i] = kHex[value & 15];
  return text;
}

// Bytes of an element, 0 for a type that is not known.
uint64_t DtypeSize(std::string_view dtype) {
  static const std::map<std::string_view, uint64_t> kSizes = {
      {"BOOL", 1},    {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1},
      {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2},    {"I32", 4}, {"U32", 4}, {"F32", 4},
      {"I64", 8},     {"U64", 8}, {"F64", 8}, {"C64", 8}};
  const auto found = kSizes.find(dtype);
  return found == kSizes.end() ? 0 : found->second;
}

std::optional<FloatType> ParseFloatType(std::string_view dtype) {
  if (dtype == "F16") return FloatType::kHalf;
  if (dtype == "BF16") return FloatType::kBfloat16;
  if (dtype == "F32") return FloatType::kFloat;
  if (dtype == "F64") return FloatType::kDouble;
  return std::nullopt;
}

std::string ReadHeader(const InputFile& file) {
  std::array<std::byte, 8> prefix;
  file.ReadAt(0, prefix);
  const auto length = LoadLittle<uint64_t>(prefix);
  if (length > kLongestHeader || length > file.size() - prefix.size()) {
    throw Error(Concat(file.name(), ": header length: expected at most ",
                       std::min(kLongestHeader, file.size() - prefix.size()),
                       ", found ", length));
  }
  std::string text(length, '\0');
  file.ReadAt(prefix.size(), std::as_writable_bytes(std::span(text)));
  if (!text.starts_with('{')) {
    throw Error(file.name() + ": byte 8: expected a header that begins with {");
  }
  return text;
}

// Entries must fill the body one after the other, each as large as its shape
// says.
void CheckEntries(const std::string& file_name,
                  std::vector<SafetensorsEntry>& entries, uint64_t body) {
  std::ranges::stable_sort(entries, {}, [](const SafetensorsEntry& entry) {
    return std::pair(entry.begin, entry.end);
  });
  uint64_t end = 0;
  for (const SafetensorsEntry& entry : entries) {
    const auto fail = [&](const std::string& what) {
      throw Error(
          Concat(file_name, ": tensor ", Quoted(entry.name), ": ", what));
    };
    const uint64_t size = DtypeSize(entry.dtype);
    if (size == 0) fail("unknown dtype " + Quoted(entry.dtype));
    if (entry.begin != end || entry.end < entry.begin) {
      fail(Concat("expected offsets from ", end, " on, found ", entry.begin,
                  " to ", entry.end));
    }
    const uint64_t bytes = entry.end - entry.begin;
    const auto elements = CheckedElements(entry.shape);
    if (!elements || bytes % size != 0 ||
        static_cast<uint64_t>(*elements) != bytes / size) {
      fail(Concat("its shape does not fit its ", bytes, " bytes"));
    }
    end = entry.end;
  }
  if (end != body) {
    throw Error(Concat(file_name, ": expected ", end,
                       " bytes after the header, found ", body));
  }
}

// Checks the header's own checksum and takes both out of the metadata. Either
// both are there or none, so that damage to a key's name is noticed as well.
std::string TakeChecksums(const std::string& file_name, std::string text,
                          SafetensorsHeader& header) {
  const auto damaged = [&] {
    throw Error(file_name +
                ": the header does not match its checksum: damaged file");
  };
  const auto own = header.metadata.extract(kHeaderCrc);
  const auto tensors = header.metadata.extract(kTensorCrcs);
  if (own.empty() && tensors.empty()) return "";
  if (own.empty() || tensors.empty()) damaged();
  const std::string field = Concat('"', kHeaderCrc, "\":\"");
  const size_t at = text.find(field);
  if (at == std::string::npos || own.mapped().size() != kDigits) damaged();
  text.replace(at + field.size(), kDigits, kNoDigits);
  if (Hex(Crc32(std::as_bytes(std::span(text)))) != own.mapped()) damaged();
  if (tensors.mapped().size() + 1 != header.entries.size() * (kDigits + 1) &&
      !(header.entries.empty() && tensors.mapped().empty())) {
    damaged();
  }
  return tensors.mapped();
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path) {
  const std::string text = ReadHeader(file_);
  auto header = ParseSafetensorsHeader(text, file_.name());
  const uint64_t body = 8 + text.size();
  CheckEntries(file_.name(), header.entries, file_.size() - body);
  const std::string checksums = TakeChecksums(file_.name(), text, header);
  has_checksums_ = !checksums.empty();
  for (size_t i = 0; i < header.entries.size(); ++i) {
    SafetensorsEntry& entry = header.entries[i];
    const auto type = ParseFloatType(entry.dtype);
    if (!type && entry.shape.empty()) continue;  // a counter of batches
    if (!type) {
      throw Error(Concat(file_.name(), ": tensor ", Quoted(entry.name),
                         ": expected F32, F16, BF16 or F64, found ",
                         entry.dtype));
    }
    std::string checksum;
    if (has_checksums_) checksum = checksums.substr(i * (kDigits + 1), kDigits);
    locations_.push_back({*type, body + entry.begin, std::move(checksum)});
    tensors_.push_back({std::move(entry.name), std::move(entry.shape)});
  }
  metadata_ = std::move(header.metadata);
}

void SafetensorsFile::Read(size_t index, std::span<float> values) const {
  const TensorInfo& info = tensors_.at(index);
  const Location& place = locations_[index];
  ALEXNET_CHECK(std::cmp_equal(values.size(), info.elements()));
  uint32_t crc = 0;
  if (place.type == FloatType::kFloat) {
    const auto bytes = std::as_writable_bytes(values);
    file_.ReadAt(place.offset, bytes);
    if (has_checksums_) crc = Crc32(bytes);
  } else {
    constexpr size_t kChunk = 1 << 16;
    const size_t size = ByteSize(place.type);
    std::vector<std::byte> buffer(std::min(kChunk, values.size()) * size);
    for (size_t done = 0; done < values.size(); done += kChunk) {
      const auto part =
          values.subspan(done, std::min(kChunk, values.size() - done));
      const auto bytes = std::span(buffer).first(part.size() * size);
      file_.ReadAt(place.offset + done * size, bytes);
      crc = Crc32(bytes, crc);
      ToFloat32(place.type, bytes, part);
    }
  }
  if (has_checksums_ && Hex(crc) != place.checksum) {
    throw Error(Concat(file_.name(), ": tensor ", Quoted(info.name),
                       " does not match its checksum: damaged file"));
  }
}

namespace {

// Header with its length in front, its own checksum filled in.
std::string HeaderBytes(const SafetensorsHeader& header,
                        std::span<const uint32_t> crcs,
                        const std::string& file_name) {
  std::string tensor_crcs;
  for (const uint32_t crc : crcs) {
    if (!tensor_crcs.empty()) tensor_crcs += ' ';
    tensor_crcs += Hex(crc);
  }
  std::string text = WriteSafetensorsHeader(
      {{kHeaderCrc, std::string(kNoDigits)}, {kTensorCrcs, tensor_crcs}},
      header, file_name);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::string crc = Hex(Crc32(std::as_bytes(std::span(text))));
  text.replace(text.find(kNoDigits), kDigits, crc);
  std::string bytes;
  AppendLittle(bytes, uint64_t{text.size()});
  return bytes + text;
}

SafetensorsHeader PlanFile(const std::string& file_name,
                           const TensorSource& tensors,
                           const StringMap& metadata) {
  SafetensorsHeader header;
  header.metadata = metadata;
  header.metadata["format"] = "pt";
  std::set<std::string> names = {"__metadata__"};
  uint64_t offset = 0;
  for (const TensorInfo& info : tensors.tensors()) {
    if (!names.insert(info.name).second) {
      throw Error(Concat(file_name, ": two tensors named ", Quoted(info.name)));
    }
    const uint64_t begin = offset;
    offset += static_cast<uint64_t>(info.elements()) * sizeof(float);
    header.entries.push_back({info.name, "F32", info.shape, begin, offset});
  }
  for (const auto& [key, value] : metadata) {
    ALEXNET_CHECK(!key.starts_with(kReserved));
  }
  return header;
}

// The checksum of a large tensor takes longer than the system needs to take its
// bytes: both at once, where a thread is to be had.
uint32_t WriteAndSum(AtomicFile& file, std::span<const std::byte> bytes) {
  constexpr size_t kWorthAThread = size_t{1} << 20;
  const auto sum = [bytes] { return Crc32(bytes); };
  if (bytes.size() < kWorthAThread) {
    file.Write(bytes);
    return sum();
  }
  auto crc = std::async(std::launch::async | std::launch::deferred, sum);
  file.Write(bytes);
  return crc.get();
}

}  // namespace

void WriteSafetensors(const std::filesystem::path& path,
                      const TensorSource& tensors, const StringMap& metadata) {
  const auto header = PlanFile(path.string(), tensors, metadata);
  const auto& infos = tensors.tensors();
  std::vector<uint32_t> crcs(infos.size());
  std::vector<float> room;

  AtomicFile file(path);
  // The sums have a fixed width: the final header takes this one's place.
  file.Write(HeaderBytes(header, crcs, path.string()));
  for (size_t i = 0; i < infos.size(); ++i) {
    const auto bytes = std::as_bytes(ValuesOf(tensors, i, room));
    crcs[i] = WriteAndSum(file, bytes);
  }
  const std::string final_header = HeaderBytes(header, crcs, path.string());
  file.WriteAt(0, std::as_bytes(std::span(final_header)));
  file.Commit();
}

}  // namespace alexnet
