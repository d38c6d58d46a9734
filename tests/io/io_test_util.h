// SPDX-License-Identifier: MIT
// What the tests of files share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "alexnet/error.h"
#include "alexnet/weights.h"

namespace alexnet {

// A name of its own for every call, in any number of processes.
inline std::string TempPath(const std::string& suffix) {
  static std::atomic<int> counter = 0;
  return testing::TempDir() + Concat("io_", ::getpid(), "_", counter++, suffix);
}

inline std::string GoldenPath(const std::string& name) {
  return std::string(ALEXNET_GOLDEN_DIR) + "/io/" + name;
}

inline std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void WriteAll(const std::filesystem::path& path,
                     const std::string& bytes) {
  // Some file systems flush a file that is cut to nothing and written again.
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

// Removed with its bearer.
class TempFile {
 public:
  explicit TempFile(const std::string& suffix, const std::string& bytes = "")
      : path_(TempPath(suffix)) {
    if (!bytes.empty()) WriteAll(path_, bytes);
  }
  TempFile(const TempFile&) = delete;
  ~TempFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// The message of the Error that `function` throws; "" if it throws none.
template <class Function>
std::string ErrorOf(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class VectorSource : public TensorSource {
 public:
  void Add(TensorInfo info, std::vector<float> values) {
    infos_.push_back(std::move(info));
    values_.push_back(std::move(values));
  }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void Read(size_t index, std::span<float> values) const override {
    ASSERT_EQ(values.size(), values_[index].size());
    std::ranges::copy(values_[index], values.begin());
  }

 private:
  std::vector<TensorInfo> infos_;
  std::vector<std::vector<float>> values_;
};

inline VectorSource SmallSource() {
  VectorSource source;
  source.Add({"w", {2, 3}}, {1, -2, 3.5F, 0, 1e-40F, -1e38F});
  source.Add({"none", {0, 4}}, {});
  source.Add({"scalar", {}}, {0.1F});
  source.Add({"b", {3}}, {7, 8, 9});
  return source;
}

inline std::vector<float> ReadTensor(const TensorSource& source, size_t index) {
  std::vector<float> values(
      static_cast<size_t>(source.tensors().at(index).elements()));
  source.Read(index, values);
  return values;
}

inline void ReadEverything(const std::string& path) {
  const auto file = OpenWeights(path);
  for (size_t i = 0; i < file->tensors().size(); ++i) ReadTensor(*file, i);
}

inline void ExpectSame(const TensorSource& found, const TensorSource& wanted) {
  ASSERT_EQ(found.tensors().size(), wanted.tensors().size());
  for (size_t i = 0; i < wanted.tensors().size(); ++i) {
    EXPECT_EQ(found.tensors()[i].name, wanted.tensors()[i].name);
    EXPECT_EQ(found.tensors()[i].shape, wanted.tensors()[i].shape);
    const auto a = ReadTensor(found, i);
    const auto b = ReadTensor(wanted, i);
    ASSERT_EQ(a.size(), b.size());
    // As bytes: a NaN, too, must come back as it was.
    EXPECT_TRUE(std::ranges::equal(std::as_bytes(std::span(a)),
                                   std::as_bytes(std::span(b))));
  }
}

inline ModelMetadata SmallMetadata() {
  return {.arch = "note",
          .input = {3, 227, 227},
          .class_names = {"cat", "dög \"x\""},
          .transform = {{0.1F, 0.2F, 0.3F}, {0.4F, 0.5F, 0.6F}}};
}

}  // namespace alexnet
