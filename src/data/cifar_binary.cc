// SPDX-License-Identifier: MIT
// cifar-10-batches-bin/: records of a label and 3 × 32 × 32 bytes. Labels are
// read and checked when the set is opened. An image is read when it is asked
// for, out of the system's page cache: the process holds none of the 147 MiB.
#include <algorithm>
#include <mutex>

#include "alexnet/error.h"
#include "data/cifar.h"
#include "data/fingerprint.h"
#include "io/input_file.h"

namespace alexnet {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRecordsAtOnce = 1000;  // 3 MB
constexpr uint64_t kMaxNamesBytes = 4096;

InputFile OpenFile(const fs::path& path) {
  std::error_code ignored;
  const auto status = fs::status(path, ignored);
  if (status.type() == fs::file_type::not_found) {
    throw Error(Concat(path.string(), ": file is missing"));
  }
  if (!fs::is_regular_file(status)) {
    throw Error(Concat(path.string(), ": not a file"));
  }
  return InputFile(path);
}

std::vector<std::string> ReadClassNames(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  const InputFile file = OpenFile(path);
  std::string text(std::min(file.size(), kMaxNamesBytes), '\0');
  file.ReadAt(0, std::as_writable_bytes(std::span(text)));
  return ParseCifarClassNames(file.name(), text);
}

// A file of records; its first image is number `first` of the set.
struct RecordFile {
  InputFile file;
  int64_t images;
  int64_t first;

  RecordFile(const fs::path& path, int64_t first_image)
      : file(OpenFile(path)),
        images(CheckCifarBatchSize(file.name(), file.size())),
        first(first_image) {}
};

class CifarBinary final : public Dataset {
 public:
  CifarBinary(const fs::path& folder, Split split) {
    int64_t total = 0;
    for (const std::string& name : CifarBatchNames(split)) {
      files_.push_back(
          std::make_unique<RecordFile>(folder / (name + ".bin"), total));
      total += files_.back()->images;
    }
    ImageBlock empty =
        EmptyCifarBlock(split, ReadClassNames(folder / "batches.meta.txt"));
    class_names_ = std::move(empty.class_names);
    labels_.reserve(static_cast<size_t>(total));
    Hash pixels(/*seed=*/0);
    for (const auto& file : files_) ReadThrough(*file, pixels);
    fingerprint_ = ImagesFingerprint(empty.name, pixels.value(), labels_);
  }

  int64_t size() const override { return std::ssize(labels_); }
  Shape3 image_shape() const override { return kCifarShape; }
  const std::vector<std::string>& class_names() const override {
    return class_names_;
  }
  int32_t label(int64_t index) const override {
    return labels_.at(static_cast<size_t>(index));
  }
  void Read(int64_t index, std::span<uint8_t> pixels) const override {
    ALEXNET_CHECK(index >= 0 && index < size());
    ALEXNET_CHECK(std::ssize(pixels) == kCifarPixels);
    size_t f = files_.size() - 1;
    while (files_[f]->first > index) --f;
    const int64_t record = index - files_[f]->first;
    files_[f]->file.ReadAt(static_cast<uint64_t>(record * kCifarRecord + 1),
                           std::as_writable_bytes(pixels));
  }
  ImageView LoadedView() const override {
    std::call_once(load_, [this] {
      pixels_.resize(labels_.size() * kCifarPixels);
      for (int64_t i = 0; i < size(); ++i) {
        Read(i, std::span(pixels_).subspan(
                    static_cast<size_t>(i * kCifarPixels), kCifarPixels));
      }
    });
    return {pixels_, kCifarShape};
  }
  // Of the images as they were when the set was opened.
  std::string fingerprint() const override { return fingerprint_; }

 private:
  // Takes the labels and adds the pixels to the hash.
  void ReadThrough(const RecordFile& batch, Hash& pixels) {
    std::vector<uint8_t> buffer;
    for (int64_t done = 0; done < batch.images; done += kRecordsAtOnce) {
      const int64_t now = std::min(kRecordsAtOnce, batch.images - done);
      buffer.resize(static_cast<size_t>(now * kCifarRecord));
      const int64_t offset = done * kCifarRecord;
      batch.file.ReadAt(static_cast<uint64_t>(offset),
                        std::as_writable_bytes(std::span(buffer)));
      for (size_t at = 0; at < buffer.size(); at += kCifarRecord) {
        CheckCifarLabel(batch.file.name(), offset + static_cast<int64_t>(at),
                        buffer[at]);
        labels_.push_back(buffer[at]);
        pixels.Add(
            std::as_bytes(std::span(buffer)).subspan(at + 1, kCifarPixels));
      }
    }
  }

  std::vector<std::unique_ptr<RecordFile>> files_;
  std::vector<int32_t> labels_;
  std::vector<std::string> class_names_;
  std::string fingerprint_;
  mutable std::once_flag load_;
  mutable std::vector<uint8_t> pixels_;  // of all images, once asked for
};

}  // namespace

std::unique_ptr<Dataset> OpenCifarBinary(const fs::path& folder, Split split) {
  return std::make_unique<CifarBinary>(folder, split);
}

}  // namespace alexnet
