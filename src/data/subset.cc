// SPDX-License-Identifier: MIT
#include <utility>

#include "alexnet/dataset.h"
#include "alexnet/error.h"
#include "data/fingerprint.h"

namespace alexnet {
namespace {

class SubsetDataset : public Dataset {
 public:
  SubsetDataset(const Dataset& whole, std::vector<int64_t> indices)
      : whole_(whole), indices_(std::move(indices)) {
    for (const int64_t index : indices_) {
      if (index < 0 || index >= whole_.size()) {
        throw UsageError(Concat("subset: image ", index,
                                " asked for, the data set has ",
                                whole_.size()));
      }
    }
  }

  int64_t size() const override { return std::ssize(indices_); }
  Shape3 image_shape() const override { return whole_.image_shape(); }
  const std::vector<std::string>& class_names() const override {
    return whole_.class_names();
  }
  int32_t label(int64_t index) const override {
    return whole_.label(In(index));
  }
  void Read(int64_t index, std::span<uint8_t> pixels) const override {
    whole_.Read(In(index), pixels);
  }
  ImageView staged_view() const override { return whole_.staged_view(); }
  ImageView LoadedView() const override { return whole_.LoadedView(); }
  int64_t sample_id(int64_t index) const override {
    return whole_.sample_id(In(index));
  }
  void ReadPart(int64_t index, const ChooseBox& choose,
                std::span<uint8_t> pixels) const override {
    whole_.ReadPart(In(index), choose, pixels);
  }
  void ReadForTraining(int64_t index, int64_t epoch, std::span<uint8_t> pixels,
                       std::span<float> probabilities) const override {
    whole_.ReadForTraining(In(index), epoch, pixels, probabilities);
  }
  bool mixes_labels() const override { return whole_.mixes_labels(); }
  bool slow_to_read() const override { return whole_.slow_to_read(); }
  std::string cache_key() const override {
    return Concat(whole_.cache_key(), "/subset:", size(), ":",
                  Hex(HashBytes(std::as_bytes(std::span(indices_)), 0)));
  }
  std::string fingerprint() const override {
    return Concat(whole_.fingerprint(), "/subset:", size(), ":",
                  Hex(HashBytes(std::as_bytes(std::span(indices_)), 0)));
  }

 private:
  int64_t In(int64_t index) const {
    return indices_.at(static_cast<size_t>(index));
  }

  const Dataset& whole_;
  std::vector<int64_t> indices_;
};

class OwningSubset : public SubsetDataset {
 public:
  OwningSubset(std::unique_ptr<Dataset> whole, std::vector<int64_t> indices)
      : SubsetDataset(*whole, std::move(indices)), owned_(std::move(whole)) {}

 private:
  std::unique_ptr<Dataset> owned_;
};

}  // namespace

std::unique_ptr<Dataset> Subset(std::unique_ptr<Dataset> dataset,
                                std::vector<int64_t> indices) {
  return std::make_unique<OwningSubset>(std::move(dataset), std::move(indices));
}

std::unique_ptr<Dataset> Subset(const Dataset& dataset,
                                std::vector<int64_t> indices) {
  return std::make_unique<SubsetDataset>(dataset, std::move(indices));
}

}  // namespace alexnet
