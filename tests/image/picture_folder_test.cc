// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/expect_error.h"
#include "data/temp_dir.h"
#include "image/picture_dataset.h"

namespace alexnet {
namespace {

using ::testing::ElementsAre;
using testing::ExpectError;
using testing::TempDir;

std::vector<std::string> Listing(const PictureSet& set) {
  std::vector<std::string> listing;
  for (const PictureFile& file : set.files) {
    listing.push_back(std::to_string(file.label) + " " + file.path);
  }
  return listing;
}

// What torchvision 0.14's ImageFolder lists for the same tree.
TEST(PictureFolder, IsInTorchvisionsOrder) {
  const TempDir dir;
  for (const char* name :
       {"b/2.jpg", "b/10.JPG", "b/sub/1.png", "b/sub-a/1.png", "B/x.webp",
        "a b/y.tiff", "a b/.hidden.bmp", "a b/notes.txt", "a b/z.gif"}) {
    dir.Write(name, "x");
  }
  dir.Write("loose.jpg", "x");
  const PictureSet set = ScanPictureFolder(dir.path(), "set");
  EXPECT_THAT(set.class_names, ElementsAre("B", "a b", "b"));
  EXPECT_THAT(Listing(set),
              ElementsAre("0 B/x.webp", "1 a b/.hidden.bmp", "1 a b/y.tiff",
                          "2 b/10.JPG", "2 b/2.jpg", "2 b/sub/1.png",
                          "2 b/sub-a/1.png"));
}

TEST(PictureFolder, SaysWhatIsMissing) {
  const TempDir dir;
  const auto scan = [&] { ScanPictureFolder(dir.path(), "set"); };
  ExpectError(scan, {"no folders in it"});
  dir.Write("a/1.jpg", "x");
  dir.Write("b/readme.txt", "x");
  ExpectError(scan, {(dir.path() / "b").string(), "no pictures in this class"});
  ExpectError([&] { ScanPictureFolder(dir.path() / "none", "set"); },
              {"none", "No such file"});
}

TEST(PictureFolder, FollowsLinksButNotForEver) {
  const TempDir dir;
  dir.Write("a/1.jpg", "x");
  std::filesystem::create_directory_symlink(dir.path() / "a",
                                            dir.path() / "a" / "loop");
  ExpectError([&] { ScanPictureFolder(dir.path(), "set"); }, {"loop"});
}

TEST(PictureList, KnowsNumbersAndWords) {
  const TempDir dir;
  dir.Write("1.jpg", "x");
  dir.Write("two words.jpg", "x");
  dir.Write("n.txt", "1.jpg 2\n\n two words.jpg\t0 \r\n");
  PictureSet set = ReadPictureList(dir.path() / "n.txt", "set", {});
  EXPECT_THAT(set.class_names, ElementsAre("0", "1", "2"));
  EXPECT_THAT(Listing(set), ElementsAre("2 1.jpg", "0 two words.jpg"));
  dir.Write("classes.txt", "x\ny\nz\n");
  set = ReadPictureList(dir.path() / "n.txt", "set", {});
  EXPECT_THAT(set.class_names, ElementsAre("x", "y", "z"));
  std::filesystem::remove(dir.path() / "classes.txt");
  dir.Write("w.txt", "1.jpg dog\ntwo words.jpg cat\n");
  set = ReadPictureList(dir.path() / "w.txt", "set", {});
  EXPECT_THAT(set.class_names, ElementsAre("cat", "dog"));
  EXPECT_THAT(Listing(set), ElementsAre("1 1.jpg", "0 two words.jpg"));
  set = ReadPictureList(dir.path() / "w.txt", "set", {"ant", "cat", "dog"});
  EXPECT_THAT(Listing(set), ElementsAre("2 1.jpg", "1 two words.jpg"));
}

TEST(PictureList, NamesTheLineThatIsWrong) {
  const TempDir dir;
  dir.Write("1.jpg", "x");
  const auto refused = [&](const char* text,
                           const std::vector<std::string>& parts,
                           const std::vector<std::string>& known = {}) {
    dir.Write("l.txt", text);
    ExpectError([&] { ReadPictureList(dir.path() / "l.txt", "s", known); },
                parts);
  };
  refused("", {"l.txt: lists no pictures"});
  refused("1.jpg 0\nalone\n", {"line 2", "'alone'", "a path and a label"});
  refused("1.jpg 0\n2.jpg 0\n", {"line 2", "2.jpg: No such file"});
  refused("1.jpg -1\n", {"line 1", "'-1'"});
  refused("1.jpg 7\n", {"line 1", "'7'", "0 to 1"}, {"a", "b"});
  refused("1.jpg c\n", {"line 1", "'c'", "2 classes"}, {"a", "b"});
  ExpectError([&] { ReadPictureList(dir.path(), "s", {}); },
              {"cannot be read"});
}

}  // namespace
}  // namespace alexnet
