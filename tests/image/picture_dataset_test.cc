// SPDX-License-Identifier: MIT
#include "image/picture_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "data/expect_error.h"
#include "data/image_cache.h"
#include "data/sound_images.h"
#include "data/temp_dir.h"
#include "image/image_goldens.h"

namespace alexnet {
namespace {

using testing::ExpectError;
using testing::kImageGoldens;
using testing::TempDir;

std::unique_ptr<Dataset> One(const std::string& name,
                             const PictureOptions& options) {
  PictureSet set{.name = "one",
                 .root = kImageGoldens,
                 .files = {LookAtFile(kImageGoldens, name)},
                 .class_names = {"a"}};
  return PicturesAsDataset(std::move(set), options);
}

TEST(Pictures, ArePillowsAndTorchvisionsToTheByte) {
  std::ifstream list(kImageGoldens / "transforms.txt");
  int count = 0;
  for (std::string line; std::getline(list, line);) {
    SCOPED_TRACE(line);
    std::istringstream words(line);
    std::string kind, name, md5;
    int64_t left = 0, top = 0, width = 0, height = 0, out_w = 0, out_h = 0;
    words >> kind >> name >> left >> top >> width >> height >> out_w >> out_h >>
        md5;
    if (kind == "decode") continue;
    ++count;
    PictureOptions options{.size = {out_h, out_w}};
    if (kind == "centre") options.shorter_edge = left;
    const auto images = One(name, options);
    std::vector<uint8_t> pixels(
        static_cast<size_t>(images->image_shape().elements()));
    if (kind == "centre") {
      images->Read(0, pixels);
    } else {
      const Box box = {left, top, width, height};
      images->ReadPart(
          0,
          [&](Size2 size) {
            EXPECT_EQ(size, (Size2{151, 203}));
            return box;
          },
          pixels);
    }
    EXPECT_EQ(testing::Md5Of(pixels), md5);
  }
  EXPECT_EQ(count, 150);
}

TEST(Pictures, OneThatIsDamagedIsNamed) {
  const TempDir dir;
  dir.Write("a/good.ppm", "P6 1 1 255\nabc");
  dir.Write("a/short.ppm", "P6 9 9 255\nabc");
  dir.Write("b/good.ppm", "P6 1 1 255\nxyz");
  const auto images =
      PicturesAsDataset(ScanPictureFolder(dir.path(), "set"), {.size = {2, 2}});
  std::vector<uint8_t> pixels(12);
  ExpectError([&] { images->Read(1, pixels); },
              {(dir.path() / "a/short.ppm").string(), "ends too early"});
  images->Read(2, pixels);
  EXPECT_THAT(pixels, ::testing::ElementsAre('x', 'x', 'x', 'x', 'y', 'y', 'y',
                                             'y', 'z', 'z', 'z', 'z'));
}

TEST(Pictures, DamagedOnesCanBeLeftOutAndAreCounted) {
  const TempDir dir;
  for (const char* name : {"a/1.ppm", "a/3.ppm", "b/4.ppm"}) {
    dir.Write(name, "P6 1 1 255\nabc");
  }
  dir.Write("a/2.ppm", "P6 9 9 255\nabc");
  std::string told;
  const auto images = SoundImages(
      PicturesAsDataset(ScanPictureFolder(dir.path(), "set"), {.size = {2, 2}}),
      /*threads=*/2, [&](const std::string& text) { told += text + "\n"; });
  EXPECT_EQ(images->size(), 3);
  EXPECT_EQ(images->sample_id(1), 2);
  EXPECT_EQ(images->label(2), 1);
  EXPECT_THAT(told,
              ::testing::HasSubstr("a/2.ppm: PPM: the file ends too early"));
  EXPECT_THAT(told, ::testing::HasSubstr("1 of 4 pictures are damaged"));
}

TEST(Pictures, FingerprintsTellSetsApart) {
  const TempDir dir;
  dir.Write("a/1.ppm", "P6 1 1 255\nabc");
  const auto open = [&] {
    return PicturesAsDataset(ScanPictureFolder(dir.path(), "set"),
                             {.size = {2, 2}});
  };
  const auto before = open();
  std::filesystem::last_write_time(
      dir.path() / "a/1.ppm",
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(open()->fingerprint(), before->fingerprint());
  EXPECT_NE(open()->cache_key(), before->cache_key());
  dir.Write("a/2.ppm", "P6 1 1 255\nabc");
  EXPECT_NE(open()->fingerprint(), before->fingerprint());
}

class CacheTest : public ::testing::Test {
 protected:
  CacheTest() {
    for (int i = 0; i < 5; ++i) {
      dir_.Write("set/a/" + std::to_string(i) + ".ppm",
                 std::string("P6 1 1 255\nab") + static_cast<char>('0' + i));
    }
  }
  std::unique_ptr<Dataset> Open() {
    built_ = false;
    return Cached(PicturesAsDataset(ScanPictureFolder(dir_.path() / "set", "s"),
                                    {.size = {2, 2}}),
                  file_, /*threads=*/2,
                  [&](const std::string&) { built_ = true; });
  }
  static uint8_t LastByteOf(const Dataset& images, int64_t index) {
    std::vector<uint8_t> pixels(12);
    images.Read(index, pixels);
    return pixels.back();
  }
  void Damage(std::streamoff offset) {
    std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.put('!');
  }

  TempDir dir_;
  std::filesystem::path file_ = dir_.path() / "cache" / "x.images";
  bool built_ = false;
};

TEST_F(CacheTest, IsMadeOnceAndHasTheImages) {
  for (const bool first : {true, false}) {
    const auto images = Open();
    EXPECT_EQ(built_, first);
    for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(LastByteOf(*images, i), '0' + i);
  }
}

TEST_F(CacheTest, IsMadeAnewWhenTheSourceChanges) {
  Open();
  dir_.Write("set/a/1.ppm", "P6 1 1 255\nabX");
  std::filesystem::last_write_time(
      dir_.path() / "set/a/1.ppm",
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  const auto images = Open();
  EXPECT_TRUE(built_);
  EXPECT_EQ(LastByteOf(*images, 1), 'X');
}

TEST_F(CacheTest, DamageIsFound) {
  for (const int64_t offset : {0, 20, 40, 70}) {
    Open();
    Damage(offset);
    Open();
    EXPECT_TRUE(built_) << offset;
  }
  Damage(64 + 5 * 8 + 12 * 3 + 1);
  const auto images = Open();
  EXPECT_FALSE(built_);
  EXPECT_EQ(LastByteOf(*images, 2), '2');
  ExpectError([&] { LastByteOf(*images, 3); },
              {file_.string(), "image 3 is damaged", "remove the file"});
  std::filesystem::resize_file(file_, 100);
  Open();
  EXPECT_TRUE(built_);
}

TEST_F(CacheTest, AFileThatShrinksInUseIsAnError) {
  const auto images = Open();
  std::filesystem::resize_file(file_, 0);
  ExpectError([&] { LastByteOf(*images, 3); }, {file_.string(), "shrank"});
}

}  // namespace
}  // namespace alexnet
