// SPDX-License-Identifier: MIT
#include "train/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alexnet/error.h"
#include "train/checkpoint.h"
#include "train/files.h"
#include "train/run.h"

namespace alexnet {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

StepReport Step(int64_t step, double loss) {
  StepReport report;
  report.position.step = step;
  report.epoch = 1;
  report.batch = step - 1;
  report.result.loss = loss;
  report.result.images = 32;
  report.learning_rate = 3e-4;
  report.seconds = 0.5;
  report.wait_seconds = 0.25;
  return report;
}

constexpr char kHeader[] = "step,x\n";

// What is left of `content` if lines from `limit` on are cut off.
std::string Cut(const std::string& content, int64_t limit) {
  const TempFolder folder;
  const std::filesystem::path path = folder.path() / "a.csv";
  WriteAll(path, content);
  const CsvLog log(path, "step,x", limit);
  EXPECT_EQ(folder.Names().size(), 1U);
  return ReadAll(path);
}

TEST(CsvLog, KeepsWhatComesBeforeTheLimit) {
  const std::string lines = std::string(kHeader) + "1,a\n2,b\n3,c\n";
  EXPECT_EQ(Cut(lines, 100), lines);
  EXPECT_EQ(Cut(lines, 3), std::string(kHeader) + "1,a\n2,b\n");
  EXPECT_EQ(Cut(lines, 0), kHeader);
}

TEST(CsvLog, CutsOffDamage) {
  const std::string good = std::string(kHeader) + "1,a\n";
  EXPECT_EQ(Cut(good + "2,b", 100), good);         // no end of line
  EXPECT_EQ(Cut(good + "2\n3,c\n", 100), good);    // a field short
  EXPECT_EQ(Cut(good + "2,b,c\n", 100), good);     // one too many
  EXPECT_EQ(Cut(good + "1,a\n", 100), good);       // twice
  EXPECT_EQ(Cut(good + "x,b\n3,c\n", 100), good);  // no number
  EXPECT_EQ(Cut(good + std::string(9, '\0'), 100), good);
  EXPECT_EQ(Cut("", 100), kHeader);
  EXPECT_EQ(Cut("something else\n1,a\n", 100), kHeader);
}

TEST(CsvLog, AppendsToWhatItKept) {
  const TempFolder folder;
  const std::filesystem::path path = folder.path() / "a.csv";
  { CsvLog(path, "step,x", 0).Append("1,a"); }
  {
    CsvLog log(path, "step,x", 2);
    log.Append("2,b");
    log.Sync();
  }
  EXPECT_EQ(ReadAll(path), std::string(kHeader) + "1,a\n2,b\n");
}

TEST(CsvLog, ALineThatDoesNotFitIsTakenBack) {
  const TempFolder folder;
  const std::filesystem::path path = folder.path() / "a.csv";
  CsvLog log(path, "step,x", 0);
  {
    const FullDisk full(20);
    log.Append("1,a");
    EXPECT_THAT([&] { log.Append("2,a line that is too long"); },
                ThrowsMessage<Error>(HasSubstr(path.string())));
  }
  EXPECT_EQ(ReadAll(path), std::string(kHeader) + "1,a\n");
}

TEST(RunFolder, WritesTheTables) {
  const TempFolder temp;
  const std::filesystem::path path = temp.path() / "deep" / "run";
  {
    RunFolder folder(path);
    folder.OpenTables({});
    folder.Add(Step(1, 2.302585124969482421875));
    folder.Add(Step(2, 0.1F));
    EpochReport epoch;
    epoch.epoch = 0;
    epoch.step = 2;
    epoch.train_loss = 1.5;
    epoch.train_accuracy = 0.25;
    epoch.seconds = 3;
    folder.Add(epoch);
    epoch.epoch = 1;
    epoch.validation = Evaluation{.images = 3,
                                  .loss = 2,
                                  .correct_top1 = 1,
                                  .correct_top5 = 1,
                                  .confusion = {}};
    folder.Add(epoch);
    folder.SyncTables();
  }
  EXPECT_EQ(ReadAll(path / kStepsFile),
            "step,epoch,batch,loss,lr,images_per_s,wait_s\n"
            "1,1,0,2.30258512,3e-04,64,0.25\n"
            "2,1,1,0.100000001,3e-04,64,0.25\n");
  EXPECT_EQ(ReadAll(path / kEpochsFile),
            "epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,"
            "seconds\n"
            "0,2,1.5,0.25,,,3\n"
            "1,2,1.5,0.25,2,0.333333333,3\n");
  RunFolder folder(path);
  TrainPosition position;
  position.step = 1;
  position.epoch = 1;
  folder.OpenTables(position);
  EXPECT_THAT(ReadAll(path / kStepsFile), testing::EndsWith("64,0.25\n"));
  EXPECT_THAT(ReadAll(path / kStepsFile), testing::Not(HasSubstr("\n2,")));
  EXPECT_THAT(ReadAll(path / kEpochsFile),
              testing::EndsWith("\n0,2,1.5,0.25,,,3\n"));
}

TEST(RunFolder, BelongsToOneAtATime) {
  const TempFolder temp;
  {
    const RunFolder first(temp.path());
    EXPECT_THAT([&] { RunFolder second(temp.path()); },
                ThrowsMessage<Error>(HasSubstr("in use by another process")));
  }
  EXPECT_NO_THROW(RunFolder third(temp.path()));
}

TEST(RunFolder, CannotBeMadeWhereThatIsImpossible) {
  const TempFolder temp;
  WriteAll(temp.path() / "file", "x");
  EXPECT_THAT([&] { RunFolder folder(temp.path() / "file" / "run"); },
              ThrowsMessage<Error>(HasSubstr("file/run")));
  EXPECT_THROW(RunFolder folder(temp.path() / "file"), Error);
}

TEST(RunFolder, MustBeWritable) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  const TempFolder temp;
  chmod(temp.path().c_str(), 0500);
  EXPECT_THAT([&] { RunFolder folder(temp.path()); },
              ThrowsMessage<Error>(HasSubstr("nothing can be written")));
  chmod(temp.path().c_str(), 0700);
}

TEST(StateOf, TellsWhatAFolderHolds) {
  const TempFolder temp;
  EXPECT_EQ(StateOf(temp.path() / "absent"), FolderState::kNothing);
  EXPECT_EQ(StateOf(temp.path()), FolderState::kNothing);
  WriteAll(temp.path() / kPreviousCheckpointFile, "x");
  EXPECT_EQ(StateOf(temp.path()), FolderState::kUnfinished);
  WriteAll(temp.path() / kWeightsFile, "x");
  EXPECT_EQ(StateOf(temp.path()), FolderState::kFinished);
}

}  // namespace
}  // namespace alexnet
