// SPDX-License-Identifier: MIT
#include "io/zip_writer.h"

#include <limits>

#include "alexnet/error.h"
#include "io/bytes.h"

namespace alexnet {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t kLocalHeader = 30;
constexpr uint16_t kVersionNeeded = 20;
// The first day that the format knows: a file depends on its content alone.
constexpr uint16_t kDate = 1 << 5 | 1;

// What an entry's own header and the directory have in common.
std::string CommonFields(std::string_view name, uint32_t crc, uint32_t size,
                         uint16_t extra_length) {
  std::string out;
  AppendLittle(out, kVersionNeeded);
  AppendLittle(out, uint16_t{0});  // flags
  AppendLittle(out, uint16_t{0});  // stored
  AppendLittle(out, uint16_t{0});  // time
  AppendLittle(out, kDate);
  AppendLittle(out, crc);
  AppendLittle(out, size);  // packed
  AppendLittle(out, size);
  AppendLittle(out, static_cast<uint16_t>(name.size()));
  AppendLittle(out, extra_length);
  return out;
}

// Fills up with an extra field "FB", as PyTorch does.
std::string Filling(uint64_t position, std::string_view name) {
  constexpr uint64_t kFieldHeader = 4;
  const uint64_t begin = position + kLocalHeader + name.size() + kFieldHeader;
  const uint64_t length = (kAlignment - begin % kAlignment) % kAlignment;
  std::string out = "FB";
  AppendLittle(out, static_cast<uint16_t>(length));
  return out + std::string(length, 'Z');
}

}  // namespace

void ZipWriter::CheckSize(uint64_t size) const {
  if (size > std::numeric_limits<uint32_t>::max() - position_ ||
      entries_ == std::numeric_limits<uint16_t>::max()) {
    throw Error(file_name_ +
                ": too large for .pth as it is written here (4 GiB, 65535 "
                "tensors): use .safetensors");
  }
}

void ZipWriter::Add(std::string_view name, std::span<const std::byte> content) {
  const std::string filling = Filling(position_, name);
  CheckSize(kLocalHeader + name.size() + filling.size() + content.size());
  const uint32_t crc = Crc32(content);
  const auto size = static_cast<uint32_t>(content.size());

  const std::string header = Concat(
      "PK\3\4",
      CommonFields(name, crc, size, static_cast<uint16_t>(filling.size())),
      name, filling);
  file_.Write(header);
  file_.Write(content);

  directory_ += "PK\1\2";
  AppendLittle(directory_, kVersionNeeded);  // made by
  directory_ += CommonFields(name, crc, size, 0);
  AppendLittle(directory_, uint16_t{0});  // comment
  AppendLittle(directory_, uint16_t{0});  // disk
  AppendLittle(directory_, uint16_t{0});  // internal attributes
  AppendLittle(directory_, uint32_t{0});  // external attributes
  AppendLittle(directory_, static_cast<uint32_t>(position_));
  directory_ += name;

  position_ += header.size() + content.size();
  ++entries_;
}

void ZipWriter::Finish() {
  CheckSize(directory_.size());
  std::string end = "PK\5\6";
  AppendLittle(end, uint16_t{0});  // this disk
  AppendLittle(end, uint16_t{0});  // the directory's disk
  AppendLittle(end, entries_);     // here
  AppendLittle(end, entries_);     // in all
  AppendLittle(end, static_cast<uint32_t>(directory_.size()));
  AppendLittle(end, static_cast<uint32_t>(position_));
  AppendLittle(end, uint16_t{0});  // comment
  file_.Write(directory_ + end);
}

}  // namespace alexnet
