// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alexnet/error.h"
#include "data/expect_error.h"
#include "data/temp_dir.h"
#include "image/picture_dataset.h"

namespace alexnet {
namespace {

using testing::ExpectError;
using testing::TempDir;

// A tar member, as GNU tar writes it.
std::string Member(const std::string& name, const std::string& data,
                   char type = '0') {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  block.replace(100, 7, "0000644");
  char size[12];
  std::snprintf(size, sizeof size, "%011zo", data.size());
  block.replace(124, 11, size);
  block[156] = type;
  block.replace(257, 5, "ustar");
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  block.replace(148, 7, text, 7);
  block += data;
  block.resize((block.size() + 511) / 512 * 512);
  return block;
}

std::string Tar(const std::string& members) {
  return members + std::string(1024, '\0');
}

std::string Pixel(char value) {
  return std::string("P6 1 1 255\n") + std::string(3, value);
}

std::string TrainTar() {
  return Tar(Member("n02.tar", Tar(Member("n02_9.ppm", Pixel('c')) +
                                   Member("n02_10.ppm", Pixel('b')))) +
             Member("n01.tar", Tar(Member("n01_1.ppm", Pixel('a')))));
}

TEST(PictureTar, ReadsPicturesWhereTheyLie) {
  const TempDir dir;
  dir.Write("train.tar", TrainTar());
  PictureSet set = ScanTarOfTars(dir.path() / "train.tar", "set");
  EXPECT_THAT(set.class_names, ::testing::ElementsAre("n01", "n02"));
  const auto images = PicturesAsDataset(std::move(set), {.size = {1, 1}});
  ASSERT_EQ(images->size(), 3);
  for (int64_t i = 0; i < 3; ++i) {
    std::vector<uint8_t> pixels(3);
    images->Read(i, pixels);
    EXPECT_EQ(pixels[0], 'a' + i);
    EXPECT_EQ(images->label(i), i == 0 ? 0 : 1);
  }
}

TEST(PictureTar, TakesLabelsFromAList) {
  const TempDir dir;
  dir.Write("val.tar", Tar(Member("val/1.ppm", Pixel('a')) +
                           Member("val/2.ppm", Pixel('b'))));
  dir.Write("val.txt", "2.ppm n01\n1.ppm n02\n");
  const auto images = PicturesAsDataset(
      ScanTarWithList(dir.path() / "val.tar", dir.path() / "val.txt", "set",
                      {"n01", "n02"}),
      {.size = {1, 1}});
  std::vector<uint8_t> pixels(3);
  images->Read(0, pixels);
  EXPECT_EQ(pixels[0], 'b');
  EXPECT_EQ(images->label(1), 1);
  dir.Write("val.txt", "3.ppm n01\n");
  ExpectError(
      [&] {
        ScanTarWithList(dir.path() / "val.tar", dir.path() / "val.txt", "set",
                        {"n01"});
      },
      {"line 1", "'3.ppm' is not in", "val.tar"});
}

// As Python's tarfile writes names that a header has no room for.
std::string Pax(const std::string& records) {
  return Member("PaxHeaders/x", records, 'x');
}

TEST(PictureTar, KnowsLongNamesOfBothKinds) {
  const TempDir dir;
  const std::string name = std::string(120, 'a') + ".ppm";
  const std::string record = " path=val/" + name + "\n";
  const std::string pax = std::to_string(record.size() + 3) + record;
  const auto value_of = [&](const std::string& extra) {
    dir.Write("val.tar", Tar(extra + Member("short", Pixel('b'))));
    dir.Write("val.txt", name + " 0\n");
    const auto images =
        PicturesAsDataset(ScanTarWithList(dir.path() / "val.tar",
                                          dir.path() / "val.txt", "set", {"x"}),
                          {.size = {1, 1}});
    std::vector<uint8_t> pixels(3);
    images->Read(0, pixels);
    return pixels[0];
  };
  EXPECT_EQ(value_of(Pax("20 atime=1700000000\n" + pax)), 'b');
  EXPECT_EQ(value_of(Member("././@LongLink", "val/" + name, 'L')), 'b');
  ExpectError([&] { value_of(Pax("9 path=x\n")); }, {"is not in"});
  for (const char* bad : {"99 path=x\n", "0 path=x\n", "path=x\n", "9 path=xy",
                          "9", "9 ", "9 size=x\n", "11 size=9999\n"}) {
    ExpectError([&] { value_of(Pax(bad)); }, {"not a readable tar"});
  }
}

TEST(PictureTar, DamageIsAnError) {
  const TempDir dir;
  const auto scan = [&](const std::string& bytes) {
    dir.Write("t.tar", bytes);
    ScanTarOfTars(dir.path() / "t.tar", "set");
  };
  const std::string good = TrainTar();
  ExpectError([&] { scan(""); }, {"holds no .tar"});
  ExpectError([&] { scan(good.substr(0, 700)); }, {"ends after the archive"});
  for (size_t at = 0; at < 512; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x15);
    EXPECT_THROW(scan(bad), Error) << at;
  }
  for (size_t size = 0; size < good.size(); size += 97) {
    try {
      scan(good.substr(0, size));
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace alexnet
