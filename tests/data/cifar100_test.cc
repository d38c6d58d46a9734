// SPDX-License-Identifier: MIT
#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "alexnet/dataset.h"
#include "data/expect_error.h"
#include "data/temp_dir.h"

namespace alexnet {
namespace {

using testing::ExpectError;
using testing::TempDir;

// A record whose pixels are all `value`.
std::string Record(char coarse, char fine, char value) {
  return std::string{coarse, fine} + std::string(3072, value);
}

std::string Names() {
  std::string names;
  for (int i = 0; i < 100; ++i) names += "class" + std::to_string(i) + "\n";
  return names;
}

void ExpectTwoImages(const Dataset& images) {
  ASSERT_EQ(images.size(), 2);
  EXPECT_EQ(images.class_names().size(), 100U);
  EXPECT_EQ(images.class_names()[99], "class99");
  EXPECT_EQ(images.label(0), 99);
  EXPECT_EQ(images.label(1), 7);
  std::vector<uint8_t> pixels(3072);
  images.Read(1, pixels);
  EXPECT_THAT(pixels, ::testing::Each('b'));
}

TEST(Cifar100, ReadsBinaryFilesWithFineLabels) {
  const TempDir dir;
  dir.Write("cifar-100-binary/train.bin",
            Record(3, 99, 'a') + Record(4, 7, 'b'));
  dir.Write("cifar-100-binary/fine_label_names.txt", Names());
  ExpectTwoImages(*LoadCifar100(dir.path(), Split::kTrain));
  ExpectError([&] { LoadCifar100(dir.path(), Split::kTest); }, {"test.bin"});
}

TEST(Cifar100, ReadsTheArchive) {
  const TempDir dir;
  archive* out = archive_write_new();
  archive_write_add_filter_gzip(out);
  archive_write_set_format_ustar(out);
  const auto path = dir.path() / "cifar-100-binary.tar.gz";
  ASSERT_EQ(archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
  const auto add = [&](const char* name, const std::string& data) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, static_cast<int64_t>(data.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(out, entry);
    archive_write_data(out, data.data(), data.size());
    archive_entry_free(entry);
  };
  add("cifar-100-binary/coarse_label_names.txt", "x");
  add("cifar-100-binary/fine_label_names.txt", Names());
  add("cifar-100-binary/test.bin", Record(3, 99, 'a') + Record(4, 7, 'b'));
  archive_write_free(out);
  ExpectTwoImages(*LoadCifar100(dir.path(), Split::kTest));
  ExpectError([&] { LoadCifar100(dir.path(), Split::kTrain); },
              {"cifar-100-binary/train.bin", "missing"});
}

TEST(Cifar100, ReadsPickles) {
  const TempDir dir;
  // Protocol 2, by hand: two labels, two rows of bytes.
  const auto text = [](const std::string& value) {
    return std::string{'U', static_cast<char>(value.size())} + value;
  };
  std::string names = "\x80\x02}" + text("fine_label_names") + "](";
  for (int i = 0; i < 100; ++i) names += text("class" + std::to_string(i));
  dir.Write("cifar-100-python/meta", names + "es.");
  const std::string zero("K\0", 2);
  const std::string minus_one = "J\xff\xff\xff\xff";
  const std::string array =
      "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + zero +
      "\x85" + text("b") + "\x87R(K\x01K\x02" + std::string("M\0\x0c", 3) +
      "\x86" + "cnumpy\ndtype\n" + text("u1") + zero + "K\x01\x87R(K\x03" +
      text("|") + "NNN" + minus_one + minus_one + zero + "tb\x89T" +
      std::string("\0\x18\0\0", 4) + std::string(3072, 'a') +
      std::string(3072, 'b') + "tb";
  dir.Write("cifar-100-python/train", "\x80\x02}(" + text("fine_labels") +
                                          "](K\x63K\x07" + "e" + text("data") +
                                          array + "u.");
  ExpectTwoImages(*LoadCifar100(dir.path(), Split::kTrain));
  dir.Write("cifar-100-python/meta",
            "\x80\x02"
            "cos\nsystem\n.");
  ExpectError([&] { LoadCifar100(dir.path(), Split::kTrain); },
              {"os.system", "CIFAR-100's files"});
}

TEST(Cifar100, DamageIsNamed) {
  const TempDir dir;
  const auto refused = [&](const std::string& images, const std::string& names,
                           const std::vector<std::string>& parts) {
    dir.Write("cifar-100-binary/train.bin", images);
    dir.Write("cifar-100-binary/fine_label_names.txt", names);
    ExpectError([&] { LoadCifar100(dir.path(), Split::kTrain); }, parts);
  };
  ExpectError([&] { LoadCifar100(dir.path(), Split::kTrain); },
              {"no CIFAR-100 here"});
  refused("", Names(), {"train.bin", "multiple of 3074"});
  refused(Record(1, 2, 'x') + "y", Names(), {"multiple of 3074"});
  refused(Record(1, 100, 'x'), Names(), {"byte 1", "label is 100"});
  refused(Record(1, 2, 'x'), "a\nb\n", {"2 class names, expected 100"});
}

}  // namespace
}  // namespace alexnet
