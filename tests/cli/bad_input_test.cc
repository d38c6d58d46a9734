// SPDX-License-Identifier: MIT
// Files that are missing, damaged or in the way, and disks that are full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/program.h"

namespace alexnet::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BadInput : public ::testing::Test {
 protected:
  Outcome Call(const std::vector<std::string>& arguments) {
    return RunProgram(arguments, {.folder = scratch_.path()});
  }

  // The message must begin with the program's name, hold all of `texts`, and
  // be all there is.
  void ExpectFailure(const std::vector<std::string>& arguments, int exit_code,
                     const std::vector<std::string>& texts) {
    const Outcome outcome = Call(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("alexnet: "));
    for (const auto& text : texts) EXPECT_THAT(outcome.err, HasSubstr(text));
  }

  std::vector<std::string> Train(const std::string& out) {
    return {"train",          "--threads=1", "--arch",   "lenet5",
            "--dataset",      "shapes",      "--epochs", "1",
            "--shapes-count", "320",         "--out",    out};
  }

  const Scratch scratch_;
};

TEST_F(BadInput, MissingDataNamesTheWaysOut) {
  ExpectFailure({"run"}, 1, {"dataset", "--download", "--dataset shapes"});
  ExpectFailure({"train", "--data", "nowhere"}, 1, {"nowhere", "--download"});
}

TEST_F(BadInput, CifarOfTheWrongSize) {
  fs::create_directories(scratch_ / "cifar-10-batches-bin");
  for (int i = 1; i <= 5; ++i) {
    WriteAll(scratch_ / "cifar-10-batches-bin" /
                 ("data_batch_" + std::to_string(i) + ".bin"),
             std::string(3073 * 2 + (i == 3 ? 1 : 0), '\0'));
  }
  ExpectFailure({"train", "--data", ".", "--arch", "lenet5"}, 1,
                {"data_batch_3.bin", "3073"});
  EXPECT_FALSE(fs::exists(scratch_ / "run/params.pth"));
}

TEST_F(BadInput, CifarWithALabelOutOfRange) {
  fs::create_directories(scratch_ / "cifar-10-batches-bin");
  std::string records(3073 * 2, '\0');
  for (int i = 1; i <= 5; ++i) {
    records[3073] = i == 4 ? '\x0a' : '\x09';
    WriteAll(scratch_ / "cifar-10-batches-bin" /
                 ("data_batch_" + std::to_string(i) + ".bin"),
             records);
  }
  ExpectFailure({"train", "--data", ".", "--arch", "lenet5"}, 1,
                {"data_batch_4.bin", "10"});
}

TEST_F(BadInput, WeightFiles) {
  ExpectFailure({"eval", "--dataset", "shapes"}, 1, {"run/params.pth"});
  ExpectFailure({"run", "--dataset=shapes", "--weights=gone.pth"}, 1,
                {"gone.pth"});
  WriteAll(scratch_ / "text.pth", "these are no weights");
  ExpectFailure({"predict", "--weights=text.pth", "a.png"}, 1, {"text.pth"});
  ASSERT_EQ(Call(Train("run")).exit_code, 0);
  const std::string whole = ReadAll(scratch_ / "run/params.pth");
  for (const size_t size : {size_t{0}, whole.size() / 2, whole.size() - 1}) {
    WriteAll(scratch_ / "cut.pth", whole.substr(0, size));
    ExpectFailure({"convert", "cut.pth", "b.safetensors"}, 1, {"cut.pth"});
    EXPECT_FALSE(fs::exists(scratch_ / "b.safetensors"));
  }
}

TEST_F(BadInput, ContradictionsNameBothSides) {
  ASSERT_EQ(Call(Train("run")).exit_code, 0);
  ExpectFailure({"eval", "--arch=note", "--dataset=shapes"}, 2,
                {"run/params.pth", "lenet5", "note"});
  // The classes of CIFAR-10 are not those of the drawn images.
  fs::create_directories(scratch_ / "cifar-10-batches-bin");
  WriteAll(scratch_ / "cifar-10-batches-bin/test_batch.bin",
           std::string(3073 * 4, '\0'));
  ExpectFailure({"eval", "--data", "."}, 2,
                {"airplane", "circle", "--dataset"});
  WriteAll(scratch_ / "names.txt", "one\ntwo\n");
  ExpectFailure(
      {"convert", "run/params.pth", "b.pth", "--class-names=names.txt"}, 1,
      {"names.txt", "10", "2"});
  ExpectFailure({"convert", "run/params.pth", "b.onnx"}, 2, {"b.onnx"});
}

TEST_F(BadInput, AFinishedRunIsNotOverwritten) {
  ASSERT_EQ(Call(Train("run")).exit_code, 0);
  const std::string before = ReadAll(scratch_ / "run/params.pth");
  ExpectFailure(Train("run"), 1, {"run", "--overwrite"});
  EXPECT_EQ(ReadAll(scratch_ / "run/params.pth"), before);
  auto again = Train("run");
  again.emplace_back("--overwrite");
  EXPECT_EQ(Call(again).exit_code, 0);
}

TEST_F(BadInput, ResumingWithAnotherMeaningIsRefused) {
  auto arguments = Train("run");
  arguments.insert(arguments.end(), {"--max-steps", "4"});
  ASSERT_EQ(Call(arguments).exit_code, 0);
  auto other = Train("run");
  other.insert(other.end(), {"--resume", "--batch-size", "16"});
  ExpectFailure(other, 2, {"batch-size", "16", "32"});
}

TEST_F(BadInput, FoldersThatCannotBeWritten) {
  WriteAll(scratch_ / "file", "");
  ExpectFailure(Train("file"), 1, {"file"});
  ExpectFailure(Train("file/run"), 1, {"file"});
  ExpectFailure(Train("/proc/run"), 1, {"/proc/run"});
  ASSERT_EQ(Call(Train("run")).exit_code, 0);
  ExpectFailure({"convert", "run/params.pth", "gone/b.pth"}, 1, {"gone/"});
  ExpectFailure({"plot", "run", "-o", "gone/b.png"}, 1, {"gone/"});
  ExpectFailure({"plot", "gone"}, 1, {"gone"});
}

TEST_F(BadInput, AFullDiskLeavesNoHalfFile) {
  const Outcome outcome = RunProgram(
      Train("run"), {.folder = scratch_.path(), .largest_file = 100'000});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(StartsWith("alexnet: "), HasSubstr("run")));
  EXPECT_FALSE(fs::exists(scratch_ / "run/params.pth"));
  for (const auto& entry : fs::directory_iterator(scratch_ / "run")) {
    EXPECT_LT(fs::file_size(entry), 100'000U) << entry.path();
  }
}

TEST_F(BadInput, OutputThatCannotBeWritten) {
  const Outcome full = RunProgram(
      {"info"}, {.folder = scratch_.path(), .out_file = "/dev/full"});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, HasSubstr("standard output"));
}

TEST_F(BadInput, DamagedTables) {
  fs::create_directories(scratch_ / "run");
  WriteAll(scratch_ / "run/steps.csv", "step,loss\n1,2.5\n2,abc\n");
  ExpectFailure({"plot"}, 1, {"steps.csv", "line 3", "abc"});
  WriteAll(scratch_ / "run/steps.csv", "a,b\n1,2\n");
  ExpectFailure({"plot"}, 1, {"steps.csv", "step"});
  WriteAll(scratch_ / "run/steps.csv", "step,loss\n2,1\n1,1\n");
  ExpectFailure({"plot"}, 1, {"steps.csv", "line 3"});
  WriteAll(scratch_ / "run/steps.csv", "");
  ExpectFailure({"plot"}, 1, {"steps.csv"});
}

}  // namespace
}  // namespace alexnet::testing
