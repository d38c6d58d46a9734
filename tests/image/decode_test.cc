// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "alexnet/error.h"
#include "data/expect_error.h"
#include "data/temp_dir.h"
#include "image/image_codec.h"
#include "image/image_goldens.h"

namespace alexnet {
namespace {

using testing::ExpectError;
using testing::kImageGoldens;

Box WholeOf(Size2 size) { return {0, 0, size.width, size.height}; }

TEST(Decode, GivesThePixelsOfPillow) {
  std::ifstream list(kImageGoldens / "transforms.txt");
  int count = 0;
  for (std::string line; std::getline(list, line);) {
    std::istringstream words(line);
    std::string kind, name, md5;
    int64_t ignored = 0;
    words >> kind >> name;
    if (kind != "decode") continue;
    for (int i = 0; i < 6; ++i) words >> ignored;
    words >> md5;
    EXPECT_EQ(testing::PlanesMd5(ReadImage(kImageGoldens / name)), md5) << name;
    ++count;
  }
  EXPECT_EQ(count, 20);
}

// Of 16-bit grey the nearest byte.
TEST(Decode, ScalesDeepGrey) {
  const Image image = ReadImage(kImageGoldens / "deep.pgm");
  ASSERT_EQ(image.rgb.size(), 45U);
  for (size_t i = 0; i < 45; ++i) {
    const size_t value = i / 3 * 66;
    EXPECT_EQ(image.rgb[i], (value * 255 + 500) / 1000);
  }
}

// A part has the very pixels that the whole picture has there.
TEST(DecodePart, IsAPartOfTheWhole) {
  std::mt19937 random(1);
  for (const char* name : {"large_444.jpg", "large_422.jpg", "large_420.jpg",
                           "large_grey.jpg", "large_progressive.jpg"}) {
    SCOPED_TRACE(name);
    const auto bytes = ReadPictureBytes(kImageGoldens / name);
    const Image whole = ReadImage(kImageGoldens / name);
    const auto below = [&](int64_t n) {
      return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
    };
    for (int i = 0; i < 200; ++i) {
      const int64_t width = 1 + below(whole.width);
      const int64_t height = 1 + below(whole.height);
      const Box box = {below(whole.width - width + 1),
                       below(whole.height - height + 1), width, height};
      const ImagePart part = DecodePart(bytes, [&](Size2) { return box; });
      ASSERT_EQ(part.box.width, width);
      ASSERT_EQ(part.box.height, height);
      for (int64_t y = 0; y < height; ++y) {
        const auto* got = &part.image.rgb[static_cast<size_t>(
            3 * ((part.box.top + y) * part.image.width + part.box.left))];
        const auto* expected = &whole.rgb[static_cast<size_t>(
            3 * ((box.top + y) * whole.width + box.left))];
        ASSERT_TRUE(std::equal(got, got + 3 * width, expected))
            << box.left << " " << box.top << " " << width << " " << height
            << " row " << y;
      }
    }
  }
}

TEST(DecodePart, ShrinksJpegOnlyWhereAsked) {
  const auto bytes = ReadPictureBytes(kImageGoldens / "large_420.jpg");
  const ImagePart full = DecodePart(bytes, WholeOf);
  EXPECT_EQ(full.box, (Box{0, 0, 203, 151}));
  const ImagePart half = DecodePart(bytes, WholeOf, {.shrink_to = {70, 70}});
  EXPECT_EQ(half.box, (Box{0, 0, 101, 75}));
  EXPECT_EQ(half.chosen, (Box{0, 0, 203, 151}));
  const ImagePart same = DecodePart(bytes, WholeOf, {.shrink_to = {151, 151}});
  EXPECT_EQ(same.box, full.box);
}

TEST(Decode, RefusesTooManyPixelsBeforeDecoding) {
  for (const auto& entry : std::filesystem::directory_iterator(kImageGoldens)) {
    if (entry.path().extension() == ".txt") continue;
    SCOPED_TRACE(entry.path());
    ExpectError([&] { ReadImage(entry.path(), {.max_pixels = 5}); },
                {entry.path().string(), "expected 1 to 5 pixels"});
  }
}

TEST(Decode, NamesAFileThatIsNoPicture) {
  const testing::TempDir dir;
  dir.Write("a.jpg", "");
  dir.Write("b.jpg", "hello, world");
  const auto read = [&](const char* name) {
    return [path = dir.path() / name] { ReadImage(path); };
  };
  ExpectError(read("a.jpg"), {"a.jpg: the file is empty"});
  ExpectError(read("b.jpg"), {"b.jpg: neither JPEG nor PNG"});
  ExpectError(read("c.jpg"), {"c.jpg: No such file"});
  ExpectError(read("."), {"found a folder"});
}

// Cut short anywhere, or with bytes changed: an Error or a picture, never
// more.
TEST(Decode, SurvivesDamage) {
  std::mt19937 random(2);
  for (const auto& entry : std::filesystem::directory_iterator(kImageGoldens)) {
    if (entry.path().extension() == ".txt") continue;
    const auto whole = ReadPictureBytes(entry.path());
    for (int i = 0; i < 60; ++i) {
      auto bytes = whole;
      if (i % 2 == 0) bytes.resize(random() % bytes.size());
      for (int j = 0; j < i % 7 && !bytes.empty(); ++j) {
        const size_t place = i % 3 == 0 ? 100 : bytes.size();
        bytes[random() % std::min(place, bytes.size())] =
            static_cast<uint8_t>(random());
      }
      try {
        DecodePart(bytes, WholeOf, {.max_pixels = 1'000'000});
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
}  // namespace alexnet
