// SPDX-License-Identifier: MIT
#include "image/image_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "alexnet/error.h"
#include "extras/md5.h"
#include "extras/temp_folder.h"
#include "image/image_codec.h"

namespace alexnet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::filesystem::path kGoldens =
    std::filesystem::path(ALEXNET_GOLDEN_DIR) / "extras";

std::string PixelSum(const Image& image) {
  return Md5OfText(
      {reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
}

std::string ReasonFor(const std::filesystem::path& path) {
  try {
    ReadImage(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ReadImage, GivesThePixelsOfPillow) {
  std::ifstream list(kGoldens / "pixels.txt");
  std::string name;
  int64_t width = 0;
  int64_t height = 0;
  std::string sum;
  int count = 0;
  while (list >> name >> width >> height >> sum) {
    SCOPED_TRACE(name);
    const Image image = ReadImage(kGoldens / name);
    EXPECT_EQ(image.width, width);
    EXPECT_EQ(image.height, height);
    EXPECT_EQ(PixelSum(image), sum);
    ++count;
  }
  EXPECT_EQ(count, 28);
}

TEST(ReadImage, RefusesEveryTruncation) {
  const TempFolder folder;
  const auto path = folder / "cut";
  for (const char* name : {"ycc_420.jpg", "progressive.jpg", "rgb_16.png",
                           "interlaced.png", "palette_8.png"}) {
    const std::string whole = FileText(kGoldens / name);
    ASSERT_GT(whole.size(), 100U);
    for (size_t size = 0; size < whole.size(); size += 1 + size / 40) {
      WriteText(path, whole.substr(0, size));
      const std::string reason = ReasonFor(path);
      ASSERT_THAT(reason, HasSubstr(path.string() + ": "))
          << name << " cut to " << size;
    }
    WriteText(path, whole.substr(0, whole.size() - 1));
    EXPECT_NE(ReasonFor(path), "no error") << name;
  }
}

TEST(ReadImage, SaysThatAFileEndsEarly) {
  const TempFolder folder;
  const std::string jpeg = FileText(kGoldens / "ycc_420.jpg");
  WriteText(folder / "a", jpeg.substr(0, jpeg.size() - 200));
  EXPECT_THAT(ReasonFor(folder / "a"), HasSubstr("Premature end"));
  const std::string png = FileText(kGoldens / "rgb.png");
  WriteText(folder / "b", png.substr(0, png.size() - 200));
  EXPECT_THAT(ReasonFor(folder / "b"), HasSubstr("ends too early"));
}

TEST(ReadImage, NamesWhatIsNoPicture) {
  const TempFolder folder;
  EXPECT_THAT(ReasonFor(folder / "none.png"),
              AllOf(HasSubstr("none.png"), HasSubstr("No such file")));
  EXPECT_THAT(ReasonFor(folder.path()), HasSubstr("folder"));
  WriteText(folder / "empty.png", "");
  EXPECT_THAT(ReasonFor(folder / "empty.png"), HasSubstr("empty"));
  WriteText(folder / "text.jpg", "I am not a JPEG file");
  EXPECT_THAT(ReasonFor(folder / "text.jpg"),
              HasSubstr("neither JPEG nor PNG"));
}

TEST(ReadImage, GoesByContentAndNotByName) {
  const TempFolder folder;
  std::filesystem::copy_file(kGoldens / "rgb.png", folder / "picture.jpg");
  EXPECT_EQ(PixelSum(ReadImage(folder / "picture.jpg")),
            PixelSum(ReadImage(kGoldens / "rgb.png")));
}

TEST(ReadImage, RefusesGiantSizesBeforeAllocating) {
  const TempFolder folder;
  std::string jpeg = FileText(kGoldens / "ycc_420.jpg");
  const size_t frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xFF\xDC\xFF\xDC");  // 65500 × 65500
  WriteText(folder / "a", jpeg);
  EXPECT_THAT(ReasonFor(folder / "a"),
              AllOf(HasSubstr("100000000 pixels"), HasSubstr("65500 × 65500")));
}

TEST(CheckImageSize, DoesNotOverflow) {
  EXPECT_NO_THROW(CheckImageSize(10'000, 10'000));
  EXPECT_THROW(CheckImageSize(10'000, 10'001), Error);
  EXPECT_THROW(CheckImageSize(uint64_t{1} << 40, uint64_t{1} << 40), Error);
  EXPECT_THROW(CheckImageSize(0, 5), Error);
  EXPECT_THROW(CheckImageSize(5, 0), Error);
}

// The first scan of a progressive file, again and again.
TEST(DecodeJpeg, RefusesAFileOfTooManyScans) {
  std::string bomb = FileText(kGoldens / "progressive.jpg");
  const size_t start = bomb.find("\xFF\xDA");
  ASSERT_NE(start, std::string::npos);
  const size_t end = bomb.find("\xFF\xC4", start);
  ASSERT_NE(end, std::string::npos);
  const std::string scan = bomb.substr(start, end - start);
  for (int i = 0; i < 600; ++i) bomb.insert(end, scan);
  try {
    DecodeJpeg({reinterpret_cast<const uint8_t*>(bomb.data()), bomb.size()});
    FAIL() << "decoded";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("more than 500 scans"));
  }
}

Image Gradient(int64_t width, int64_t height) {
  Image image{width, height, {}};
  for (int64_t i = 0; i < width * height * 3; ++i) {
    image.rgb.push_back(static_cast<uint8_t>(i * 7 + i / 31));
  }
  return image;
}

TEST(WritePng, ReadsBackTheSame) {
  const TempFolder folder;
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 9}, {53, 31}}) {
    const Image image = Gradient(width, height);
    WritePng(folder / "out.png", image);
    const Image back = ReadImage(folder / "out.png");
    EXPECT_EQ(back.width, width);
    EXPECT_EQ(back.height, height);
    EXPECT_EQ(back.rgb, image.rgb);
  }
}

TEST(WritePng, NamesAFileThatCannotBeWritten) {
  const TempFolder folder;
  const auto path = folder / "missing" / "out.png";
  try {
    WritePng(path, Gradient(4, 4));
    FAIL() << "written";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("missing"));
  }
}

TEST(Planes, AreTheSamePixels) {
  const Image image = Gradient(5, 3);
  const std::vector<uint8_t> planes = ToPlanar(image);
  EXPECT_EQ(planes[0], image.rgb[0]);
  EXPECT_EQ(planes[1], image.rgb[3]);
  EXPECT_EQ(planes[15 + 7], image.rgb[7 * 3 + 1]);
  EXPECT_EQ(planes[30 + 14], image.rgb[14 * 3 + 2]);
  const Image back = FromPlanar(planes, {.height = 3, .width = 5});
  EXPECT_EQ(back.rgb, image.rgb);
  EXPECT_EQ(back.width, 5);
}

}  // namespace
}  // namespace alexnet
