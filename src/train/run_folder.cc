// SPDX-License-Identifier: MIT
#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "alexnet/error.h"
#include "train/checkpoint.h"
#include "train/run.h"

namespace alexnet {
namespace fs = std::filesystem;
namespace {

constexpr char kLockFile[] = ".lock";
constexpr char kStepsHeader[] = "step,epoch,batch,loss,lr,images_per_s,wait_s";
constexpr char kEpochsHeader[] =
    "epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,seconds";

void Remove(const fs::path& file) {
  std::error_code error;
  fs::remove(file, error);
  if (error) {
    throw Error(
        Concat(file.string(), ": cannot be removed: ", error.message()));
  }
}

// In the order in which they are removed: a run that is half removed cannot be
// resumed, and still counts as finished.
constexpr std::array kRunFiles = {kCheckpointFile,     kPreviousCheckpointFile,
                                  kNextCheckpointFile, kStepsFile,
                                  kEpochsFile,         kRunFile,
                                  kBestFile,           kWeightsFile};
// Drawn from a run's files by others.
constexpr std::array kPictures = {"loss.png", "loss.svg", "confusion.png"};

// AtomicFile's temporary files of a process that was killed; as large as a
// checkpoint, some of them.
bool IsLeftOver(const std::string& name) {
  return name.ends_with(".tmp") &&
         std::any_of(kRunFiles.begin(), kRunFiles.end(), [&](const char* file) {
           return name.starts_with(Concat('.', file, '.'));
         });
}

void RemoveLeftOvers(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (auto entry = fs::directory_iterator(folder, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (IsLeftOver(entry->path().filename())) found.push_back(entry->path());
  }
  for (const fs::path& file : found) fs::remove(file, error);
}

// Not printf: a decimal comma of the user's locale would break the table.
std::string Digits(double value, int digits) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value,
                                 std::chars_format::general, digits)
                       .ptr;
  return {text, end};
}

// Nine digits tell any two floats apart.
std::string Exact(double value) { return Digits(value, 9); }
std::string Rough(double value) { return Digits(value, 6); }

}  // namespace

FolderState StateOf(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / kWeightsFile, ignored)) return FolderState::kFinished;
  return CheckpointStore(folder).exists() ? FolderState::kUnfinished
                                          : FolderState::kNothing;
}

RunFolder::RunFolder(fs::path path) : path_(std::move(path)) {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) {
    throw Error(Concat(path_.string(),
                       ": the run folder cannot be made: ", error.message()));
  }
  const fs::path file = path_ / kLockFile;
  lock_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) {
    throw Error(Concat(path_.string(), ": nothing can be written there: ",
                       std::strerror(errno)));
  }
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    close(lock_);
    throw Error(Concat(path_.string(), ": ",
                       reason == EWOULDBLOCK
                           ? "in use by another process that trains there"
                           : std::strerror(reason)));
  }
  RemoveLeftOvers(path_);
}

RunFolder::~RunFolder() { close(lock_); }

void RunFolder::RemoveRun() {
  for (const char* name : kRunFiles) Remove(path_ / name);
  for (const char* name : kPictures) Remove(path_ / name);
}

void RunFolder::RemoveWeights() { Remove(path_ / kWeightsFile); }

void RunFolder::OpenTables(const TrainPosition& position) {
  steps_ = std::make_unique<CsvLog>(path_ / kStepsFile, kStepsHeader,
                                    position.step + 1);
  epochs_ = std::make_unique<CsvLog>(path_ / kEpochsFile, kEpochsHeader,
                                     position.epoch);
}

void RunFolder::Add(const StepReport& report) {
  const double speed =
      report.seconds > 0
          ? static_cast<double>(report.result.images) / report.seconds
          : 0;
  steps_->Append(Concat(report.position.step, ',', report.epoch, ',',
                        report.batch, ',', Exact(report.result.loss), ',',
                        OptionText(report.learning_rate), ',', Rough(speed),
                        ',', Rough(report.wait_seconds)));
}

void RunFolder::Add(const EpochReport& report) {
  std::string loss;
  std::string accuracy;
  if (report.validation) {
    loss = Exact(report.validation->loss);
    accuracy = Exact(report.validation->top1());
  }
  epochs_->Append(Concat(report.epoch, ',', report.step, ',',
                         Exact(report.train_loss), ',',
                         Exact(report.train_accuracy), ',', loss, ',', accuracy,
                         ',', Rough(report.seconds)));
}

void RunFolder::SyncTables() {
  steps_->Sync();
  epochs_->Sync();
}

}  // namespace alexnet
