// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "alexnet/dataset.h"
#include "alexnet/error.h"
#include "data/cifar_files.h"
#include "data/expect_cifar.h"
#include "data/expect_error.h"
#include "data/temp_dir.h"

namespace alexnet {
namespace {

using testing::CifarRecords;
using testing::ExpectCifar;
using testing::ExpectError;
using testing::TempDir;
using testing::WriteCifarBinary;

constexpr char kTestBatch[] = "cifar-10-batches-bin/test_batch.bin";
constexpr char kNames[] = "cifar-10-batches-bin/batches.meta.txt";

void ExpectRefused(const TempDir& dir, const std::vector<std::string>& parts,
                   Split split = Split::kTest) {
  ExpectError([&] { LoadCifar10(dir.path(), split); }, parts);
}

TEST(CifarBinary, ReadsBothSplitsInFileOrder) {
  const TempDir dir;
  WriteCifarBinary(dir);
  EXPECT_TRUE(HasCifar10(dir.path()));
  ExpectCifar(*LoadCifar10(dir.path(), Split::kTrain), Split::kTrain);
  ExpectCifar(*LoadCifar10(dir.path(), Split::kTest), Split::kTest);
}

TEST(CifarBinary, ReadsMoreThanOneBufferful) {
  const TempDir dir;
  dir.Write(kTestBatch, CifarRecords(0, 2003));
  const auto data = LoadCifar10(dir.path(), Split::kTest);
  ASSERT_EQ(data->size(), 2003);
  std::vector<uint8_t> pixels(3072);
  for (const int i : {0, 999, 1000, 1999, 2000, 2002}) {
    data->Read(i, pixels);
    EXPECT_EQ(data->label(i), testing::CifarLabel(0, i));
    EXPECT_EQ(pixels[3071], testing::CifarPixel(0, i, 3071));
  }
}

TEST(CifarBinary, HoldsNoImagesInMemory) {
  const TempDir dir;
  WriteCifarBinary(dir);
  const auto data = LoadCifar10(dir.path(), Split::kTrain);
  EXPECT_TRUE(data->staged_view().pixels.empty());
}

// For a device that keeps them.
TEST(CifarBinary, LoadsAllImagesWhenAskedTo) {
  const TempDir dir;
  WriteCifarBinary(dir);
  const auto data = LoadCifar10(dir.path(), Split::kTrain);
  const ImageView view = data->LoadedView();
  EXPECT_EQ(view.shape, data->image_shape());
  ASSERT_EQ(std::ssize(view.pixels), data->size() * 3072);
  EXPECT_EQ(data->LoadedView().pixels.data(), view.pixels.data());
  std::vector<uint8_t> pixels(3072);
  for (int64_t i = 0; i < data->size(); ++i) {
    data->Read(i, pixels);
    const auto loaded =
        view.pixels.subspan(static_cast<size_t>(i) * 3072, 3072);
    EXPECT_TRUE(std::ranges::equal(loaded, pixels)) << i;
  }
}

TEST(CifarBinary, AFileThatShrinksIsAnErrorWithItsPlace) {
  const TempDir dir;
  dir.Write(kTestBatch, CifarRecords(0, 4));
  const auto data = LoadCifar10(dir.path(), Split::kTest);
  std::filesystem::resize_file(dir.path() / kTestBatch, 2 * 3073 + 100);
  std::vector<uint8_t> pixels(3072);
  data->Read(1, pixels);
  EXPECT_EQ(pixels[5], testing::CifarPixel(0, 1, 5));
  ExpectError(
      [&] { data->Read(2, pixels); },
      {kTestBatch, "shrank while it was read: ends at byte 6246", "had 12292"});
}

TEST(CifarBinary, OutlivesItsFolder) {
  const TempDir dir;
  WriteCifarBinary(dir);
  const auto data = LoadCifar10(dir.path(), Split::kTest);
  std::filesystem::remove_all(dir.path() / "cifar-10-batches-bin");
  ExpectCifar(*data, Split::kTest);
}

TEST(CifarBinary, KnowsTheNamesWithoutTheirFile) {
  const TempDir dir;
  dir.Write(kTestBatch, CifarRecords(0, 3));
  ExpectCifar(*LoadCifar10(dir.path(), Split::kTest), Split::kTest);
}

TEST(CifarBinary, TakesOtherNames) {
  const TempDir dir;
  dir.Write(kTestBatch, CifarRecords(0, 3));
  dir.Write(kNames, "a\r\nb\r\nc\nd\ne\nf\n\ng\nh\ni\nj");
  EXPECT_THAT(
      LoadCifar10(dir.path(), Split::kTest)->class_names(),
      ::testing::ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"));
}

TEST(CifarBinary, RefusesBadNames) {
  const TempDir dir;
  dir.Write(kTestBatch, CifarRecords(0, 3));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "0 class names, expected 10"},
      {"a\nb\nc\nd\ne\nf\ng\nh\ni\n", "9 class names"},
      {"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n", "11 class names"},
      {"a\nb\nc\nd\ne\nf\ng\nh\ni\na\n", "name 10, 'a', is there twice"},
      {"a\nb\nc\n\x1b[31m\ne\nf\ng\nh\ni\nj\n", "name 4 is not"},
      {"a\nb\nc\nd\ne\nf\ng\nh\ni\n" + std::string(101, 'x'), "name 10"},
  };
  for (const auto& [text, message] : cases) {
    dir.Write(kNames, text);
    ExpectRefused(dir, {kNames, message});
  }
}

TEST(CifarBinary, RefusesASizeThatIsNoMultipleOfTheRecord) {
  const TempDir dir;
  WriteCifarBinary(dir);
  for (const int size : {0, 1, 3072, 3074, 6145, 6147, 9218, 9220}) {
    std::string bytes = CifarRecords(0, 4);
    bytes.resize(static_cast<size_t>(size));
    dir.Write(kTestBatch, bytes);
    ExpectRefused(dir, {kTestBatch, Concat("size is ", size, " bytes"),
                        "multiple of 3073"});
  }
}

TEST(CifarBinary, RefusesALabelOutOfRangeWithItsPlace) {
  const TempDir dir;
  WriteCifarBinary(dir);
  for (const int label : {10, 255}) {
    std::string bytes = CifarRecords(0, 4);
    bytes[6146] = static_cast<char>(label);
    dir.Write(kTestBatch, bytes);
    ExpectRefused(dir, {kTestBatch, Concat("byte 6146: label is ", label),
                        "expected 0 to 9"});
  }
}

TEST(CifarBinary, TellsThePlaceBeyondTheFirstBuffer) {
  const TempDir dir;
  std::string bytes = CifarRecords(0, 1002);
  bytes[1001 * 3073] = 10;
  dir.Write(kTestBatch, bytes);
  ExpectRefused(dir, {"byte 3076073: label is 10"});
}

TEST(CifarBinary, NamesAMissingFile) {
  const TempDir dir;
  WriteCifarBinary(dir);
  std::filesystem::remove(dir.path() / "cifar-10-batches-bin/data_batch_4.bin");
  ExpectRefused(dir, {"data_batch_4.bin: file is missing"}, Split::kTrain);
  ExpectCifar(*LoadCifar10(dir.path(), Split::kTest), Split::kTest);
}

TEST(CifarBinary, RefusesWhatIsNoFile) {
  const TempDir dir;
  WriteCifarBinary(dir);
  const auto batch = dir.path() / kTestBatch;
  std::filesystem::remove(batch);
  std::filesystem::create_directory(batch);
  ExpectRefused(dir, {kTestBatch, "not a file"});
  std::filesystem::remove(batch);
  ASSERT_EQ(::mkfifo(batch.c_str(), 0600), 0);  // must not hang
  ExpectRefused(dir, {kTestBatch, "not a file"});
}

TEST(CifarBinary, RefusesAHugeFileBeforeTakingMemory) {
  const TempDir dir;
  dir.Write(kTestBatch, "");
  std::filesystem::resize_file(dir.path() / kTestBatch, 3073ULL << 30);
  ExpectRefused(dir, {kTestBatch, "1073741824 images, expected at most"});
}

TEST(CifarBinary, SaysWhatItLooksForInAnEmptyFolder) {
  const TempDir dir;
  EXPECT_FALSE(HasCifar10(dir.path()));
  ExpectRefused(dir, {dir.path().string(), "cifar-10-batches-bin/"});
  EXPECT_FALSE(HasCifar10(dir.path() / "absent"));
  ExpectError([&] { LoadCifar10(dir.path() / "absent", Split::kTrain); },
              {"absent: no CIFAR-10 here"});
}

TEST(CifarBinary, FingerprintTellsEveryByteAndLabel) {
  const TempDir dir;
  std::set<std::string> seen;
  const auto add = [&](const std::string& bytes) {
    dir.Write(kTestBatch, bytes);
    const auto fingerprint =
        LoadCifar10(dir.path(), Split::kTest)->fingerprint();
    EXPECT_EQ(LoadCifar10(dir.path(), Split::kTest)->fingerprint(),
              fingerprint);
    EXPECT_THAT(fingerprint, ::testing::StartsWith("cifar10-test:"));
    EXPECT_TRUE(seen.insert(fingerprint).second);
  };
  const std::string bytes = CifarRecords(0, 3);
  add(bytes);
  add(bytes.substr(3073));
  for (const size_t at : {0, 1, 3072, 3073, 3074, 9218}) {
    std::string other = bytes;
    other[at] = static_cast<char>(other[at] ^ 1);
    add(other);
  }
}

// The real images, re-encoded or not: their number and balance.
TEST(CifarBinary, ReadsTheRealSet) {
  const char* folder = std::getenv("ALEXNET_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "ALEXNET_TEST_DATA is not set";
  const auto data = LoadCifar10(folder, Split::kTrain);
  EXPECT_EQ(data->size(), 50'000);
  std::vector<int> count(10);
  for (int64_t i = 0; i < data->size(); ++i) {
    ++count.at(static_cast<size_t>(data->label(i)));
  }
  EXPECT_THAT(count, ::testing::Each(5'000));
}

}  // namespace
}  // namespace alexnet
