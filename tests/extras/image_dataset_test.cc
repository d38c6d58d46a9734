// SPDX-License-Identifier: MIT
#include "extras/image_dataset.h"

#include <gtest/gtest.h>

#include "alexnet/error.h"
#include "extras/temp_folder.h"
#include "image/image_file.h"

namespace alexnet {
namespace {

Image Flat(int64_t width, int64_t height, std::array<uint8_t, 3> color) {
  Image image{width, height, {}};
  for (int64_t i = 0; i < 3 * width * height; ++i) {
    image.rgb.push_back(color[static_cast<size_t>(i % 3)]);
  }
  return image;
}

TEST(ImagesAsDataset, OffersTheFilesInOrder) {
  const TempFolder folder;
  WritePng(folder / "a.png", Flat(9, 7, {1, 2, 3}));
  WritePng(folder / "b.png", Flat(4, 20, {250, 128, 0}));
  const auto set = ImagesAsDataset({folder / "b.png", folder / "a.png"},
                                   {.height = 5, .width = 6}, {"x", "y"});
  ASSERT_EQ(set->size(), 2);
  EXPECT_EQ(set->image_shape(), (Shape3{3, 5, 6}));
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(set->label(1), 0);
  std::vector<uint8_t> pixels(90);
  set->Read(0, pixels);
  EXPECT_EQ(pixels[0], 250);
  EXPECT_EQ(pixels[30], 128);
  EXPECT_EQ(pixels[89], 0);
  set->Read(1, pixels);
  EXPECT_EQ(pixels[29], 1);
  EXPECT_EQ(pixels[59], 2);
  EXPECT_EQ(pixels[60], 3);
}

TEST(ImagesAsDataset, ThrowsWhereTheFileIsRead) {
  const TempFolder folder;
  WriteText(folder / "bad.png", "no picture");
  const auto set = ImagesAsDataset({folder / "bad.png"}, {2, 2}, {"x"});
  std::vector<uint8_t> pixels(12);
  EXPECT_THROW(set->Read(0, pixels), Error);
}

TEST(ImagesAsDataset, KnowsItsFilesApart) {
  const auto print = [](const char* name, Size2 size) {
    return ImagesAsDataset({name}, size, {})->fingerprint();
  };
  EXPECT_EQ(print("a", {2, 2}), print("a", {2, 2}));
  EXPECT_NE(print("a", {2, 2}), print("b", {2, 2}));
  EXPECT_NE(print("a", {2, 2}), print("a", {2, 3}));
}

}  // namespace
}  // namespace alexnet
