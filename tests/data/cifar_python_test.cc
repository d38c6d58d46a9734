// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include "alexnet/dataset.h"
#include "alexnet/error.h"
#include "data/cifar_files.h"
#include "data/expect_cifar.h"
#include "data/expect_error.h"
#include "data/temp_dir.h"

namespace alexnet {
namespace {

using testing::ExpectError;
using testing::TempDir;

constexpr char kTestBatch[] = "cifar-10-batches-py/test_batch";

std::string String(const std::string& text) {
  const auto size = static_cast<uint32_t>(text.size());
  std::string bytes = "T";
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(size >> (8 * i));
  return bytes + text;
}

// The pieces of a batch as Python 2 pickled it, each replaceable.
struct Pieces {
  std::string labels = std::string("](K\0K\1K\2e", 9);
  std::string function = "cnumpy.core.multiarray\n_reconstruct\n";
  std::string shape = std::string("K\3M\0\x0c\x86", 6);
  std::string type = "U\2u1";
  std::string by_columns = "\x89";
  std::string pixels;

  Pieces() {
    for (int i = 0; i < 3; ++i) {
      for (int p = 0; p < 3072; ++p) {
        pixels += static_cast<char>(testing::CifarPixel(0, i, p));
      }
    }
  }
  std::string Data() const {
    return function + "cnumpy\nndarray\n" + std::string("K\0\x85U\1b\x87R", 8) +
           "(K\1" + shape + "cnumpy\ndtype\n" + type +
           std::string("K\0K\1\x87R", 6) +
           std::string("(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb",
                       23) +
           by_columns + String(pixels) + "tb";
  }
  std::string Batch() const {
    return "\x80\2}(U\6labels" + labels + "U\4data" + Data() + "u.";
  }
};

void ExpectRefused(const TempDir& dir, const std::string& bytes,
                   std::vector<std::string> parts) {
  dir.Write(kTestBatch, bytes);
  parts.emplace_back(kTestBatch);
  ExpectError([&] { LoadCifar10(dir.path(), Split::kTest); }, parts);
}

TEST(CifarPython, ReadsABatch) {
  const TempDir dir;
  dir.Write(kTestBatch, Pieces().Batch());
  EXPECT_TRUE(HasCifar10(dir.path()));
  testing::ExpectCifar(*LoadCifar10(dir.path(), Split::kTest), Split::kTest);
}

TEST(CifarPython, BinaryFilesComeFirst) {
  const TempDir dir;
  dir.Write(kTestBatch, "nonsense");
  testing::WriteCifarBinary(dir);
  testing::ExpectCifar(*LoadCifar10(dir.path(), Split::kTest), Split::kTest);
}

TEST(CifarPython, RefusesABatchCutAnywhere) {
  const TempDir dir;
  const std::string bytes = Pieces().Batch();
  std::vector<size_t> sizes = {0, bytes.size() - 1, bytes.size() / 2};
  const size_t data = bytes.size() - 3072 * 3;
  for (size_t size = 1; size + 8 < data; size += 3) sizes.push_back(size);
  for (const size_t size : sizes) {
    ExpectRefused(dir, bytes.substr(0, size), {"pickle, byte "});
  }
}

TEST(CifarPython, RefusesWhatIsNoBatch) {
  const TempDir dir;
  ExpectRefused(dir, "\x80\2K\1.", {"holds a int, expected a dict"});
  ExpectRefused(dir, "\x80\2}.", {"has no 'labels'"});
  ExpectRefused(dir, "\x80\2}(U\6labelsK\1u.", {"'labels' is a int"});
  ExpectRefused(dir, "\x80\2}(U\6labels]u.", {"0 labels"});
  ExpectRefused(dir, "\x80\2}(U\6labels](K\1eu.", {"has no 'data'"});
  ExpectRefused(dir, "\x80\2}(U\6labels](K\1eU\4data]u.",
                {"'data' is not an array", "1 × 3072"});
}

TEST(CifarPython, RefusesLabelsOutOfRange) {
  const TempDir dir;
  Pieces pieces;
  pieces.labels = std::string("](K\0K\nK\2e", 9);
  ExpectRefused(dir, pieces.Batch(), {"label of image 1 is 10"});
  pieces.labels = "](K\1J\xff\xff\xff\xffK\2e";
  ExpectRefused(dir, pieces.Batch(), {"label of image 1 is -1"});
  pieces.labels = "](K\1NK\2e";
  ExpectRefused(dir, pieces.Batch(), {"label of image 1 is a None"});
}

TEST(CifarPython, RefusesArraysOfAnotherForm) {
  const TempDir dir;
  Pieces pieces;
  pieces.labels = "](K\1K\2e";
  ExpectRefused(dir, pieces.Batch(), {"has another shape", "2 × 3072"});
  pieces = {};
  pieces.shape = std::string("K\3K\1M\0\x0c\x87", 8);
  ExpectRefused(dir, pieces.Batch(), {"has another shape"});
  pieces = {};
  pieces.type = "U\2u2";
  ExpectRefused(dir, pieces.Batch(), {"is of another type"});
  pieces = {};
  pieces.by_columns = "\x88";
  ExpectRefused(dir, pieces.Batch(), {"is stored by columns"});
  for (const size_t size : {0, 9215, 9217}) {
    pieces = {};
    pieces.pixels.resize(size);
    ExpectRefused(dir, pieces.Batch(), {Concat("has ", size, " bytes")});
  }
}

TEST(CifarPython, CallsNothing) {
  const TempDir dir;
  ExpectRefused(dir, "\x80\2cposix\nsystem\nU\4true\x85R.",
                {"refuses 'posix.system'"});
  Pieces pieces;
  pieces.function = "cnumpy.core.multiarray\nfromfile\n";
  ExpectRefused(dir, pieces.Batch(), {"refuses"});
}

TEST(CifarPython, NamesAMissingFile) {
  const TempDir dir;
  dir.Write(kTestBatch, Pieces().Batch());
  ExpectError([&] { LoadCifar10(dir.path(), Split::kTrain); },
              {"data_batch_1: file is missing"});
}

TEST(CifarPython, RefusesBadNames) {
  const TempDir dir;
  dir.Write(kTestBatch, Pieces().Batch());
  const auto refused = [&](const std::string& bytes, const char* message) {
    dir.Write("cifar-10-batches-py/batches.meta", bytes);
    ExpectError([&] { LoadCifar10(dir.path(), Split::kTest); },
                {"batches.meta", message});
  };
  refused("\x80\2}.", "has no 'label_names'");
  refused("\x80\2}(U\x0blabel_names](K\1eu.", "'label_names' holds a int");
  refused("\x80\2}(U\x0blabel_names](U\1aeu.", "1 class names, expected 10");
  refused(std::string(100'000, 'x'), "expected at most");
}

}  // namespace
}  // namespace alexnet
