// SPDX-License-Identifier: MIT
#include "data/cifar.h"

#include <algorithm>
#include <set>
#include <utility>

#include "alexnet/error.h"

namespace alexnet {
namespace {

struct Source {
  const char* name;
  bool folder;
  std::unique_ptr<Dataset> (*open)(const std::filesystem::path&, Split);
};

constexpr Source kSources[] = {
    {"cifar-10-batches-bin", true, OpenCifarBinary},
    {"cifar-10-batches-py", true, ReadCifarPython},
    {"cifar-10-binary.tar.gz", false, ReadCifarArchive},
    {"cifar-10-python.tar.gz", false, ReadCifarArchive},
};

const Source* FindSource(const std::filesystem::path& dir) {
  for (const Source& source : kSources) {
    std::error_code ignored;
    const auto path = dir / source.name;
    if (source.folder ? std::filesystem::is_directory(path, ignored)
                      : std::filesystem::is_regular_file(path, ignored)) {
      return &source;
    }
  }
  return nullptr;
}

}  // namespace

ImageBlock EmptyCifarBlock(Split split, std::vector<std::string> names) {
  if (names.empty()) {
    names = {"airplane", "automobile", "bird",  "cat",  "deer",
             "dog",      "frog",       "horse", "ship", "truck"};
  }
  return {split == Split::kTrain ? "cifar10-train" : "cifar10-test",
          kCifarShape,
          {},
          {},
          std::move(names)};
}

std::vector<std::string> CifarBatchNames(Split split) {
  if (split == Split::kTest) return {"test_batch"};
  std::vector<std::string> names;
  for (int i = 1; i <= 5; ++i) names.push_back(Concat("data_batch_", i));
  return names;
}

int64_t CheckCifarBatchSize(const std::string& file, uint64_t bytes) {
  constexpr uint64_t kRecord = kCifarRecord;
  if (bytes == 0 || bytes % kRecord != 0) {
    throw Error(Concat(file, ": size is ", bytes,
                       " bytes, expected a positive multiple of ", kRecord,
                       " (a label and ", kCifarPixels, " pixels an image)"));
  }
  if (bytes / kRecord > kCifarMaxImagesPerFile) {
    throw Error(Concat(file, ": ", bytes / kRecord,
                       " images, expected at most ", kCifarMaxImagesPerFile));
  }
  return static_cast<int64_t>(bytes / kRecord);
}

void CheckCifarLabel(const std::string& file, int64_t offset, uint8_t label) {
  if (label < kCifarClasses) return;
  throw Error(Concat(file, ": byte ", offset, ": label is ", int{label},
                     ", expected 0 to ", kCifarClasses - 1));
}

void AppendCifarRecords(const std::string& file, int64_t offset,
                        std::span<const uint8_t> records, ImageBlock& block) {
  ALEXNET_CHECK(std::ssize(records) % kCifarRecord == 0);
  for (size_t at = 0; at < records.size(); at += kCifarRecord) {
    const uint8_t label = records[at];
    CheckCifarLabel(file, offset + static_cast<int64_t>(at), label);
    block.labels.push_back(label);
    const auto pixels = records.subspan(at + 1, kCifarPixels);
    block.pixels.insert(block.pixels.end(), pixels.begin(), pixels.end());
  }
}

std::vector<std::string> ParseCifarClassNames(const std::string& file,
                                              std::string_view text,
                                              int64_t classes) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) names.emplace_back(line);
  }
  CheckCifarClassNames(file, names, classes);
  return names;
}

void CheckCifarClassNames(const std::string& file,
                          const std::vector<std::string>& names,
                          int64_t classes) {
  if (std::ssize(names) != classes) {
    throw Error(
        Concat(file, ": ", names.size(), " class names, expected ", classes));
  }
  std::set<std::string_view> seen;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[i];
    const bool printable =
        std::ranges::all_of(name, [](char c) { return c >= ' ' && c <= '~'; });
    if (name.empty() || name.size() > 100 || !printable) {
      throw Error(Concat(file, ": class name ", i + 1,
                         " is not 1 to 100 printable characters"));
    }
    if (!seen.insert(name).second) {
      throw Error(Concat(file, ": class name ", i + 1, ", '", name,
                         "', is there twice"));
    }
  }
}

bool HasCifar10(const std::filesystem::path& dir) {
  return FindSource(dir) != nullptr;
}

std::unique_ptr<Dataset> LoadCifar10(const std::filesystem::path& dir,
                                     Split split) {
  const Source* source = FindSource(dir);
  if (source == nullptr) {
    throw Error(Concat(dir.string(),
                       ": no CIFAR-10 here, expected a folder that holds "
                       "cifar-10-batches-bin/, cifar-10-batches-py/, "
                       "cifar-10-binary.tar.gz or cifar-10-python.tar.gz"));
  }
  return source->open(dir / source->name, split);
}

}  // namespace alexnet
