// SPDX-License-Identifier: MIT
#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "alexnet/dataset.h"
#include "alexnet/error.h"
#include "data/cifar_files.h"
#include "data/expect_cifar.h"
#include "data/expect_error.h"
#include "data/temp_dir.h"

namespace alexnet {
namespace {

using testing::ExpectCifar;
using testing::ExpectError;
using testing::TempDir;

constexpr char kArchive[] = "cifar-10-binary.tar.gz";
constexpr char kTestBatch[] = "cifar-10-batches-bin/test_batch.bin";

std::string Golden(const std::string& name) {
  std::ostringstream bytes;
  bytes << std::ifstream(std::string(ALEXNET_GOLDEN_DIR "/") + name,
                         std::ios::binary)
               .rdbuf();
  return bytes.str();
}

struct Member {
  std::string name;
  std::string bytes;
  unsigned type = AE_IFREG;
};

void Pack(const TempDir& dir, const std::vector<Member>& members) {
  archive* out = archive_write_new();
  archive_write_add_filter_gzip(out);
  archive_write_set_format_pax_restricted(out);
  archive_write_open_filename(out, (dir.path() / kArchive).c_str());
  for (const Member& member : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.name.c_str());
    archive_entry_set_filetype(entry, member.type);
    if (member.type == AE_IFLNK) archive_entry_set_symlink(entry, "/dev/zero");
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, std::ssize(member.bytes));
    archive_write_header(out, entry);
    archive_write_data(out, member.bytes.data(), member.bytes.size());
    archive_entry_free(entry);
  }
  archive_write_free(out);
}

void ExpectRefused(const TempDir& dir, std::vector<std::string> parts) {
  parts.emplace_back(kArchive);
  ExpectError([&] { LoadCifar10(dir.path(), Split::kTest); }, parts);
}

// Made by Python's tarfile, pickle and NumPy.
TEST(CifarArchive, ReadsBothLayouts) {
  for (const std::string name :
       {"cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"}) {
    SCOPED_TRACE(name);
    const TempDir dir;
    dir.Write(name, Golden(name));
    EXPECT_TRUE(HasCifar10(dir.path()));
    ExpectCifar(*LoadCifar10(dir.path(), Split::kTrain), Split::kTrain);
    ExpectCifar(*LoadCifar10(dir.path(), Split::kTest), Split::kTest);
  }
}

TEST(CifarArchive, RefusesOneCutAnywhere) {
  const TempDir dir;
  for (const std::string name :
       {"cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"}) {
    const std::string bytes = Golden(name);
    for (size_t size = 0; size + 16 < bytes.size(); size += 97) {
      dir.Write(name, bytes.substr(0, size));
      EXPECT_THROW(LoadCifar10(dir.path(), Split::kTrain), Error)
          << name << " cut to " << size;
    }
    std::filesystem::remove(dir.path() / name);
  }
}

// Whatever a bit says: read or refused, but never anything else.
TEST(CifarArchive, SurvivesFlippedBits) {
  const TempDir dir;
  const std::string bytes = Golden(kArchive);
  for (size_t at = 0; at < bytes.size(); at += 29) {
    std::string other = bytes;
    other[at] = static_cast<char>(other[at] ^ (1 << (at % 8)));
    dir.Write(kArchive, other);
    try {
      LoadCifar10(dir.path(), Split::kTest);
    } catch (const Error&) {
    }
  }
}

TEST(CifarArchive, RefusesWhatIsNoArchive) {
  const TempDir dir;
  dir.Write(kArchive, std::string(5000, 'x'));
  ExpectRefused(dir, {"not a readable .tar.gz"});
}

TEST(CifarArchive, NamesAMissingMember) {
  const TempDir dir;
  Pack(dir, {{"cifar-10-batches-bin/data_batch_1.bin",
              testing::CifarRecords(1, 1)}});
  ExpectRefused(dir, {kTestBatch, "missing in the archive"});
}

TEST(CifarArchive, NamesTheMemberAndThePlaceOfABadRecord) {
  const TempDir dir;
  std::string bytes = testing::CifarRecords(0, 3);
  bytes[3073] = 77;
  Pack(dir, {{kTestBatch, bytes}});
  ExpectRefused(dir, {kTestBatch, "byte 3073: label is 77"});
  Pack(dir, {{kTestBatch, bytes.substr(1)}});
  ExpectRefused(dir, {kTestBatch, "size is 9218 bytes"});
  Pack(dir, {{kTestBatch, ""}});
  ExpectRefused(dir, {kTestBatch, "size is 0 bytes"});
}

TEST(CifarArchive, RefusesMembersThatShouldNotBeThere) {
  const TempDir dir;
  const std::string bytes = testing::CifarRecords(0, 3);
  for (const std::string name :
       {"../../etc/passwd", "/etc/passwd", "test_batch.bin",
        "cifar-10-batches-bin/../x", "cifar-10-batches-bin/other.bin"}) {
    Pack(dir, {{kTestBatch, bytes}, {name, "x"}});
    ExpectRefused(dir, {name, "unexpected or repeated"});
  }
  Pack(dir, {{kTestBatch, bytes}, {kTestBatch, bytes}});
  ExpectRefused(dir, {kTestBatch, "unexpected or repeated"});
  Pack(dir, {{"\x1b[2Jx", "x"}});
  ExpectError([&] { LoadCifar10(dir.path(), Split::kTest); },
              {"unexpected or repeated"});
}

TEST(CifarArchive, RefusesLinks) {
  const TempDir dir;
  Pack(dir, {{kTestBatch, "", AE_IFLNK}});
  ExpectRefused(dir, {kTestBatch, "not a file"});
}

// Some kilobytes that unpack to very much.
TEST(CifarArchive, RefusesABomb) {
  const TempDir dir;
  Pack(dir, {{"cifar-10-batches-bin/readme.html",
              std::string((1 << 20) + 1, '\0')}});
  ExpectRefused(dir, {"readme.html", "size is 1048577 bytes"});
}

}  // namespace
}  // namespace alexnet
