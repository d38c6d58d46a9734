// SPDX-License-Identifier: MIT
// What is saved comes back; what is damaged is found, named and replaced by
// the generation before.
#include "train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "alexnet/error.h"
#include "train/fake_engine.h"
#include "train/files.h"
#include "train/tiny_images.h"

namespace alexnet {
namespace {

using testing::HasSubstr;

// A few steps, so that parameters and moments are not zero.
void TrainALittle(FakeEngine& engine, int64_t steps) {
  const TinyImages images(8);
  TrainPosition position;
  Train(engine, images, nullptr, {.epochs = 100, .max_steps = steps}, position);
}

CheckpointInfo Info(int64_t step) {
  CheckpointInfo info;
  info.options.batch_size = 7;
  info.options.lr = 0.1 + 0.2;
  info.position = {.step = step,
                   .epoch = 2,
                   .in_epoch = 40,
                   .loss_sum = 1.0 / 3,
                   .correct = 5,
                   .images = 40};
  info.kernel_plan = "plan\n\"of many\" lines";
  info.isa = "some";
  info.library = "kernels 1.2";
  info.fingerprint = "abc";
  info.class_names = {"cat", "d\"og"};
  return info;
}

class CheckpointTest : public testing::Test {
 protected:
  // Two generations: of step 1 (previous) and of step 2 (current).
  void SaveTwo() {
    CheckpointStore store(folder_.path());
    FakeEngine engine(TinySpec());
    TrainALittle(engine, 3);
    old_state_ = engine.State3();
    store.Save(engine, Info(1));
    TrainALittle(engine, 3);
    new_state_ = engine.State3();
    store.Save(engine, Info(2));
  }

  std::filesystem::path current() const {
    return folder_.path() / kCheckpointFile;
  }
  std::filesystem::path previous() const {
    return folder_.path() / kPreviousCheckpointFile;
  }

  // Loads, and says of which step; the engine's state must be that step's.
  int64_t LoadStep(std::string& warning) {
    CheckpointStore store(folder_.path());
    const CheckpointInfo info = store.Load(warning);
    FakeEngine engine(TinySpec());
    store.Restore(engine);
    EXPECT_EQ(engine.State3(),
              info.position.step == 1 ? old_state_ : new_state_);
    return info.position.step;
  }

  TempFolder folder_;
  std::string old_state_;
  std::string new_state_;
};

TEST_F(CheckpointTest, BringsEverythingBack) {
  SaveTwo();
  std::string warning;
  EXPECT_EQ(LoadStep(warning), 2);
  EXPECT_EQ(warning, "");
  CheckpointStore store(folder_.path());
  const CheckpointInfo info = store.Load(warning);
  const CheckpointInfo expected = Info(2);
  EXPECT_EQ(info.options.batch_size, 7);
  EXPECT_EQ(info.options.lr, 0.1 + 0.2);
  EXPECT_EQ(info.position.epoch, 2);
  EXPECT_EQ(info.position.in_epoch, 40);
  EXPECT_EQ(info.position.loss_sum, 1.0 / 3);
  EXPECT_EQ(info.position.correct, 5);
  EXPECT_EQ(info.position.images, 40);
  EXPECT_EQ(info.kernel_plan, expected.kernel_plan);
  EXPECT_EQ(info.isa, expected.isa);
  EXPECT_EQ(info.library, expected.library);
  EXPECT_EQ(info.fingerprint, expected.fingerprint);
  EXPECT_EQ(info.class_names, expected.class_names);
}

TEST_F(CheckpointTest, KeepsTwoGenerationsAndNothingElse) {
  CheckpointStore store(folder_.path());
  EXPECT_FALSE(store.exists());
  SaveTwo();
  EXPECT_TRUE(store.exists());
  EXPECT_EQ(folder_.Names(),
            (std::set<std::string>{kCheckpointFile, kPreviousCheckpointFile}));
  std::filesystem::remove(current());
  EXPECT_TRUE(store.exists());
  std::string warning;
  EXPECT_EQ(LoadStep(warning), 1);
}

TEST_F(CheckpointTest, NoticesAFlippedBitAnywhere) {
  SaveTwo();
  const std::string good = ReadAll(current());
  // Every byte of the start, where the header lies, and a scatter of the rest.
  for (size_t at = 0; at < good.size(); at += at < 600 ? 7 : 97) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    WriteAll(current(), bad);
    std::string warning;
    ASSERT_EQ(LoadStep(warning), 1) << "byte " << at;
    EXPECT_THAT(warning, HasSubstr(kCheckpointFile));
    EXPECT_THAT(warning, HasSubstr(kPreviousCheckpointFile));
  }
}

TEST_F(CheckpointTest, NamesTheDamagedTensor) {
  SaveTwo();
  std::string bad = ReadAll(current());
  bad.back() = static_cast<char>(bad.back() ^ 1);
  WriteAll(current(), bad);
  std::string warning;
  EXPECT_EQ(LoadStep(warning), 1);
  EXPECT_THAT(warning, HasSubstr("second_moment/fc.bias"));
}

TEST_F(CheckpointTest, NoticesTruncationAnywhere) {
  SaveTwo();
  const std::string good = ReadAll(current());
  for (size_t size = 0; size < good.size(); size += 61) {
    WriteAll(current(), good.substr(0, size));
    std::string warning;
    ASSERT_EQ(LoadStep(warning), 1) << "cut to " << size;
    EXPECT_NE(warning, "");
  }
}

TEST_F(CheckpointTest, TwoDamagedFilesAreAnErrorWithBothReasons) {
  SaveTwo();
  WriteAll(current(), "short");
  std::string bad = ReadAll(previous());
  bad.back() = static_cast<char>(bad.back() ^ 1);
  WriteAll(previous(), bad);
  CheckpointStore store(folder_.path());
  std::string warning;
  try {
    store.Load(warning);
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(kCheckpointFile));
    EXPECT_THAT(error.what(), HasSubstr(kPreviousCheckpointFile));
    EXPECT_THAT(error.what(), HasSubstr("second_moment/fc.bias"));
  }
}

TEST_F(CheckpointTest, ADamagedFileDoesNotPushOutASoundOne) {
  SaveTwo();
  WriteAll(current(), "damaged");
  const std::string sound = ReadAll(previous());
  CheckpointStore store(folder_.path());
  std::string warning;
  store.Load(warning);
  FakeEngine engine(TinySpec());
  store.Restore(engine);
  store.Save(engine, Info(2));
  EXPECT_EQ(ReadAll(previous()), sound);
  store.Save(engine, Info(2));
  EXPECT_NE(ReadAll(previous()), sound);
}

TEST_F(CheckpointTest, AnotherModelsCheckpointIsRefused) {
  SaveTwo();
  CheckpointStore store(folder_.path());
  std::string warning;
  store.Load(warning);
  EngineSpec spec = TinySpec();
  spec.model.classes = 9;
  spec.model.layers.back().op = LinearSpec{48, 9};
  FakeEngine other(spec);
  EXPECT_THROW(store.Restore(other), Error);
}

TEST_F(CheckpointTest, AFullDiskLeavesWhatWasThere) {
  SaveTwo();
  const std::string newer = ReadAll(current());
  const std::string older = ReadAll(previous());
  CheckpointStore store(folder_.path());
  FakeEngine engine(TinySpec());
  for (const rlim_t bytes : {0, 10, 500, 3000}) {
    const FullDisk full(bytes);
    EXPECT_THROW(store.Save(engine, Info(3)), Error) << bytes;
  }
  EXPECT_EQ(ReadAll(current()), newer);
  EXPECT_EQ(ReadAll(previous()), older);
  EXPECT_EQ(folder_.Names().size(), 2U);
}

// The states of the folder between any two of Save's steps.
TEST_F(CheckpointTest, WhereverASaveIsCutShortOneGenerationIsSound) {
  SaveTwo();
  const std::string older = ReadAll(previous());
  const std::string newer = ReadAll(current());
  const std::filesystem::path next = folder_.path() / kNextCheckpointFile;
  std::string warning;
  WriteAll(next, newer.substr(0, 100));  // being written
  EXPECT_EQ(LoadStep(warning), 2);
  EXPECT_EQ(warning, "");
  std::filesystem::rename(current(), previous());  // between the renames
  EXPECT_EQ(LoadStep(warning), 2);
  CheckpointStore store(folder_.path());
  const CheckpointInfo info = store.Load(warning);
  FakeEngine engine(TinySpec());
  store.Restore(engine);
  store.Save(engine, info);
  EXPECT_EQ(LoadStep(warning), 2);
  EXPECT_EQ(warning, "");
  EXPECT_EQ(folder_.Names(),
            (std::set<std::string>{kCheckpointFile, kPreviousCheckpointFile}));
}

TEST_F(CheckpointTest, AFileThatCannotBeWrittenLeavesTheOthersAlone) {
  SaveTwo();
  const std::string sound = ReadAll(current());
  // A folder in the way of the rename of the current file.
  std::filesystem::remove(previous());
  std::filesystem::create_directories(previous() / "x");
  CheckpointStore store(folder_.path());
  std::string warning;
  store.Load(warning);
  FakeEngine engine(TinySpec());
  EXPECT_THROW(store.Save(engine, Info(3)), Error);
  EXPECT_EQ(ReadAll(current()), sound);
  EXPECT_EQ(folder_.Names().size(), 2U);
}

}  // namespace
}  // namespace alexnet
