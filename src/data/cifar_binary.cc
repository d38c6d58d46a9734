// SPDX-License-Identifier: MIT
// cifar-10-batches-bin/: records of a label and 3 × 32 × 32 bytes.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "alexnet/error.h"
#include "data/cifar.h"

namespace alexnet {
namespace {

constexpr int64_t kRecordsAtOnce = 1000;  // 3 MB
constexpr std::streamsize kMaxNamesBytes = 4096;

uint64_t BatchSize(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw Error(Concat(file.string(), ": file is missing"));
  }
  if (!std::filesystem::is_regular_file(status)) {
    throw Error(Concat(file.string(), ": not a file"));
  }
  const auto size = std::filesystem::file_size(file, error);
  if (error) throw Error(Concat(file.string(), ": ", error.message()));
  return size;
}

std::ifstream Open(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    throw Error(
        Concat(file.string(), ": cannot be opened: ", std::strerror(errno)));
  }
  return in;
}

void AppendBatch(const std::filesystem::path& file, int64_t images,
                 ImageBlock& block) {
  std::ifstream in = Open(file);
  std::vector<uint8_t> buffer;
  for (int64_t done = 0; done < images;) {
    const int64_t now = std::min(kRecordsAtOnce, images - done);
    buffer.resize(static_cast<size_t>(now * kCifarRecord));
    in.read(reinterpret_cast<char*>(buffer.data()), now * kCifarRecord);
    if (in.gcount() != now * kCifarRecord) {
      throw Error(Concat(file.string(), ": ends after ",
                         done * kCifarRecord + in.gcount(), " bytes, expected ",
                         images * kCifarRecord));
    }
    AppendCifarRecords(file.string(), done * kCifarRecord, buffer, block);
    done += now;
  }
}

std::vector<std::string> ReadClassNames(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  BatchSize(file);  // refuses what is not a file
  std::ifstream in = Open(file);
  std::string text(kMaxNamesBytes, '\0');
  in.read(text.data(), kMaxNamesBytes);
  text.resize(static_cast<size_t>(in.gcount()));
  return ParseCifarClassNames(file.string(), text);
}

}  // namespace

ImageBlock ReadCifarBinary(const std::filesystem::path& folder, Split split) {
  std::vector<std::filesystem::path> files;
  std::vector<int64_t> images;
  int64_t total = 0;
  for (const std::string& name : CifarBatchNames(split)) {
    files.push_back(folder / (name + ".bin"));
    images.push_back(
        CheckCifarBatchSize(files.back().string(), BatchSize(files.back())));
    total += images.back();
  }
  ImageBlock block =
      EmptyCifarBlock(split, ReadClassNames(folder / "batches.meta.txt"));
  block.labels.reserve(static_cast<size_t>(total));
  block.pixels.reserve(static_cast<size_t>(total * kCifarPixels));
  for (size_t i = 0; i < files.size(); ++i) {
    AppendBatch(files[i], images[i], block);
  }
  return block;
}

}  // namespace alexnet
