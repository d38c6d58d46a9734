// SPDX-License-Identifier: MIT
#include "data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "alexnet/error.h"
#include "data/expect_error.h"
#include "data/temp_dir.h"

namespace alexnet {
namespace {

using testing::ExpectError;
using testing::TempDir;

std::string Number(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

// Three images of 2 × 3 whose bytes count up.
std::string Images() {
  std::string bytes = Number(0x803) + Number(3) + Number(2) + Number(3);
  for (char i = 0; i < 18; ++i) bytes += i;
  return bytes;
}

std::string Labels() {
  return Number(0x801) + Number(3) + std::string("\7\0\11", 3);
}

class Idx : public ::testing::Test {
 protected:
  void Write(const std::string& images, const std::string& labels) {
    dir_.Write("train-images-idx3-ubyte", images);
    dir_.Write("train-labels-idx1-ubyte", labels);
  }
  std::unique_ptr<Dataset> Load(int64_t channels = 3) {
    return LoadMnist(dir_.path(), "mnist", Split::kTrain, channels);
  }
  TempDir dir_;
};

TEST_F(Idx, GreyBecomesThreeEqualChannels) {
  Write(Images(), Labels());
  const auto images = Load();
  EXPECT_EQ(images->size(), 3);
  EXPECT_EQ(images->image_shape(), (Shape3{3, 2, 3}));
  EXPECT_EQ(images->label(2), 9);
  std::vector<uint8_t> pixels(18);
  images->Read(1, pixels);
  for (size_t i = 0; i < 18; ++i) EXPECT_EQ(pixels[i], 6 + i % 6);
  EXPECT_EQ(Load(/*channels=*/1)->image_shape(), (Shape3{1, 2, 3}));
}

TEST_F(Idx, ReadsCompressedFilesWhereTorchvisionHasThem) {
  const auto folder = dir_.path() / "FashionMNIST" / "raw";
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& bytes) {
    const gzFile file = gzopen((folder / name).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
  };
  write("t10k-images-idx3-ubyte.gz", Images());
  write("t10k-labels-idx1-ubyte.gz", Labels());
  const auto images = LoadMnist(dir_.path(), "fashion-mnist", Split::kTest, 3);
  EXPECT_EQ(images->size(), 3);
  EXPECT_EQ(images->class_names()[9], "Ankle boot");
  ExpectError(
      [&] { LoadMnist(dir_.path(), "fashion-mnist", Split::kTrain, 3); },
      {"no fashion-mnist here", "train-labels-idx1-ubyte.gz"});
}

TEST_F(Idx, DamageIsNamed) {
  const auto refused = [&](const std::string& images, const std::string& labels,
                           const std::vector<std::string>& parts) {
    Write(images, labels);
    ExpectError([&] { Load(); }, parts);
  };
  refused(Images().substr(0, 30), Labels(), {"images-idx3", "in the middle"});
  refused(Images() + "x", Labels(), {"goes on after"});
  refused(Labels(), Labels(), {"begins with 2049, expected 2051"});
  refused(Images(), Labels().substr(0, 9), {"labels-idx1", "in the middle"});
  refused(Images(), Number(0x801) + Number(1) + "\1", {"3 images", "1 labels"});
  refused(Images(), Number(0x801) + Number(3) + "\1\2\12",
          {"label 2 is 10, expected 0 to 9"});
  refused(Images(), Number(0x801) + Number(0xFFFFFFFF), {"expected 1 to"});
  refused(Number(0x803) + Number(3) + Number(70000) + Number(3), Labels(),
          {"70000 rows"});
}

}  // namespace
}  // namespace alexnet
