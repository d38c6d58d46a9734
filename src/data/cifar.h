// SPDX-License-Identifier: MIT
// What the readers of CIFAR-10's official layouts share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alexnet/dataset.h"
#include "data/image_block.h"

namespace alexnet {

inline constexpr Shape3 kCifarShape = {3, 32, 32};
inline constexpr int64_t kCifarPixels = 3072;
inline constexpr int64_t kCifarRecord = 1 + kCifarPixels;  // label, pixels
inline constexpr int64_t kCifarClasses = 10;
// Ten times what the real files hold; a file that claims more is refused
// before memory is taken for it.
inline constexpr int64_t kCifarMaxImagesPerFile = 100'000;

// An empty block with everything but images; `names` empty means CIFAR-10's
// own.
ImageBlock EmptyCifarBlock(Split split, std::vector<std::string> names);

// "data_batch_1" … or "test_batch", in order.
std::vector<std::string> CifarBatchNames(Split split);

// Images in a binary batch of `bytes` bytes; Error where that does not fit.
int64_t CheckCifarBatchSize(const std::string& file, uint64_t bytes);

// One of CIFAR-10's labels, found `offset` bytes into `file`, or an Error.
void CheckCifarLabel(const std::string& file, int64_t offset, uint8_t label);

// Appends whole records, the first of them `offset` bytes into `file`.
void AppendCifarRecords(const std::string& file, int64_t offset,
                        std::span<const uint8_t> records, ImageBlock& block);

// batches.meta.txt: a class name a line.
std::vector<std::string> ParseCifarClassNames(const std::string& file,
                                              std::string_view text,
                                              int64_t classes = kCifarClasses);
// That many different printable names, or an Error.
void CheckCifarClassNames(const std::string& file,
                          const std::vector<std::string>& names,
                          int64_t classes = kCifarClasses);

// Where the python layout keeps labels and names; CIFAR-100 has its own.
struct CifarPickleKeys {
  std::string_view data_set = "CIFAR-10";
  std::string_view labels = "labels";
  std::string_view names = "label_names";
  int64_t classes = kCifarClasses;
};

// The python layout: a pickled dict a file. Not in a build of the core alone.
inline constexpr uint64_t kCifarMaxPickleBytes =
    kCifarMaxImagesPerFile * (kCifarPixels + 128);
void AppendCifarPickle(const std::string& file,
                       std::span<const std::byte> pickle, ImageBlock& block,
                       const CifarPickleKeys& keys = {});
std::vector<std::string> ParseCifarPickledNames(
    const std::string& file, std::span<const std::byte> pickle,
    const CifarPickleKeys& keys = {});

// cifar-10-batches-bin/, whose images stay on the disk.
std::unique_ptr<Dataset> OpenCifarBinary(const std::filesystem::path& folder,
                                         Split split);
// cifar-10-batches-py/ and the archives of either, read into memory.
std::unique_ptr<Dataset> ReadCifarPython(const std::filesystem::path& folder,
                                         Split split);
std::unique_ptr<Dataset> ReadCifarArchive(const std::filesystem::path& file,
                                          Split split);

}  // namespace alexnet
