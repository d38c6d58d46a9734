// SPDX-License-Identifier: MIT
#include "io/atomic_file.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>

#include "io/input_file.h"
#include "io_test_util.h"

namespace alexnet {
namespace {

using testing::HasSubstr;

// A folder of its own, so that what is left behind shows.
class AtomicFileTest : public testing::Test {
 protected:
  AtomicFileTest() : folder_(TempPath("")) {
    std::filesystem::create_directory(folder_);
  }
  ~AtomicFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Path() const { return folder_ + "/file"; }
  int64_t FilesInFolder() const {
    return std::distance(std::filesystem::directory_iterator(folder_), {});
  }

  std::string folder_;
};

TEST_F(AtomicFileTest, AppearsWithCommitOnly) {
  WriteAll(Path(), "old");
  {
    AtomicFile file(Path());
    file.Write("new text");
    file.WriteAt(0, Bytes("NEW"));
    EXPECT_EQ(ReadAll(Path()), "old");
    file.Commit();
  }
  EXPECT_EQ(ReadAll(Path()), "NEW text");
  { AtomicFile(Path()).Write("lost"); }
  EXPECT_EQ(ReadAll(Path()), "NEW text");
  EXPECT_EQ(FilesInFolder(), 1);
}

TEST_F(AtomicFileTest, FullDiskKeepsTheOldFile) {
  WriteAll(Path(), "old");
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight = {1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  const std::string message = ErrorOf([&] {
    AtomicFile file(Path());
    file.Write(std::string(600, 'a'));
    file.Write(std::string(600, 'b'));
    file.Commit();
  });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, HasSubstr(Path() + ": cannot write: File too large"));
  EXPECT_EQ(ReadAll(Path()), "old");
  EXPECT_EQ(FilesInFolder(), 1);
}

TEST_F(AtomicFileTest, SaysWhyItCannotWrite) {
  EXPECT_THAT(ErrorOf([&] { AtomicFile(folder_ + "/none/file"); }),
              HasSubstr("No such file or directory"));
  EXPECT_THAT(ErrorOf([&] { AtomicFile(Path() + "/"); }), HasSubstr("name"));
  std::filesystem::create_directory(Path());
  EXPECT_THAT(ErrorOf([&] { WriteFileAtomically(Path(), "x"); }),
              HasSubstr("cannot rename"));
  EXPECT_EQ(FilesInFolder(), 1);
}

TEST_F(AtomicFileTest, InputFileChecksEveryRead) {
  WriteAll(Path(), "0123456789");
  const InputFile file(Path());
  std::vector<std::byte> bytes(4);
  file.ReadAt(6, bytes);
  EXPECT_EQ(static_cast<char>(bytes[3]), '9');
  EXPECT_THAT(ErrorOf([&] { file.ReadAt(7, bytes); }),
              HasSubstr("at byte 7: expected 4 more bytes, found 3"));
  EXPECT_THAT(ErrorOf([&] { file.ReadAt(~uint64_t{0}, bytes); }),
              HasSubstr("found 0"));
  std::filesystem::resize_file(Path(), 8);
  EXPECT_THAT(ErrorOf([&] { file.ReadAt(6, bytes); }), HasSubstr("shrank"));
  EXPECT_THAT(ErrorOf([&] { InputFile{folder_}; }), HasSubstr("a folder"));
  EXPECT_THAT(ErrorOf([&] { InputFile("/dev/null"); }),
              HasSubstr("regular file"));
}

}  // namespace
}  // namespace alexnet
