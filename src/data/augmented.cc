// SPDX-License-Identifier: MIT
#include "data/augmented.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "alexnet/error.h"
#include "data/augment.h"

namespace alexnet {
namespace {

using enum AugmentKind;

Box Middle(Size2 whole, Size2 size) {
  return {(whole.width - size.width) / 2, (whole.height - size.height) / 2,
          size.width, size.height};
}

class AugmentedDataset : public Dataset {
 public:
  AugmentedDataset(const Dataset& dataset, const AugmentOptions& options)
      : whole_(dataset), options_(options), shape_(dataset.image_shape()) {
    const AugmentStep* patch = options_.spec.Find(kPatch);
    if (patch == nullptr) return;
    const auto side = static_cast<int64_t>(patch->values[0]);
    if (side > std::min(shape_.height, shape_.width)) {
      throw UsageError(Concat("augment: patch: side ", side,
                              ", but the images have ", shape_.width, " × ",
                              shape_.height));
    }
    shape_ = {shape_.channels, side, side};
  }

  int64_t size() const override { return whole_.size(); }
  Shape3 image_shape() const override { return shape_; }
  const std::vector<std::string>& class_names() const override {
    return whole_.class_names();
  }
  int32_t label(int64_t index) const override { return whole_.label(index); }
  int64_t sample_id(int64_t index) const override {
    return whole_.sample_id(index);
  }
  std::string fingerprint() const override { return whole_.fingerprint(); }
  std::string cache_key() const override { return whole_.cache_key(); }
  bool slow_to_read() const override { return whole_.slow_to_read(); }
  bool mixes_labels() const override {
    return options_.spec.Find(kMixup) != nullptr ||
           options_.spec.Find(kCutmix) != nullptr;
  }

  void Read(int64_t index, std::span<uint8_t> pixels) const override {
    Canvas canvas = ReadWhole(index);
    if (shape_ != canvas.shape) {
      CropWithBorder(Middle({canvas.shape.height, canvas.shape.width},
                            {shape_.height, shape_.width}),
                     canvas);
    }
    std::ranges::copy(canvas.pixels, pixels.begin());
  }

  void ReadForTraining(int64_t index, int64_t epoch, std::span<uint8_t> pixels,
                       std::span<float> probabilities) const override {
    Canvas canvas = Change(index, epoch);
    if (mixes_labels()) Mix(index, epoch, canvas, probabilities);
    std::ranges::copy(canvas.pixels, pixels.begin());
  }

 private:
  Canvas ReadWhole(int64_t index) const {
    Canvas canvas{whole_.image_shape(), {}};
    canvas.pixels.resize(static_cast<size_t>(canvas.shape.elements()));
    whole_.Read(index, canvas.pixels);
    return canvas;
  }

  SampleKey KeyOf(int64_t index, int64_t epoch) const {
    return {options_.seed, epoch, whole_.sample_id(index)};
  }

  // Numbers for one kind of change.
  static Draws DrawsFor(const SampleKey& key, AugmentKind kind) {
    return Draws(key, static_cast<uint32_t>(kind));
  }

  Canvas Change(int64_t index, int64_t epoch) const {
    const SampleKey key = KeyOf(index, epoch);
    Canvas canvas = Part(index, key);
    Cut(key, canvas);
    Flip(key, canvas);
    Colour(key, canvas);
    Erase(key, canvas);
    return canvas;
  }

  Canvas Part(int64_t index, const SampleKey& key) const {
    const AugmentStep* step = options_.spec.Find(kResizedCrop);
    if (step == nullptr) return ReadWhole(index);
    Canvas canvas{whole_.image_shape(), {}};
    canvas.pixels.resize(static_cast<size_t>(canvas.shape.elements()));
    Draws draws = DrawsFor(key, kResizedCrop);
    const auto choose = [&](Size2 size) {
      return ResizedCropBox(size, {step->values[0], step->values[1]}, draws);
    };
    whole_.ReadPart(index, choose, canvas.pixels);
    return canvas;
  }

  void Cut(const SampleKey& key, Canvas& canvas) const {
    if (const AugmentStep* step = options_.spec.Find(kCrop)) {
      const auto border = static_cast<int64_t>(step->values[0]);
      Draws draws = DrawsFor(key, kCrop);
      const int64_t top = draws.Below(2 * border + 1) - border;
      const int64_t left = draws.Below(2 * border + 1) - border;
      CropWithBorder({left, top, canvas.shape.width, canvas.shape.height},
                     canvas);
    }
    if (options_.spec.Find(kPatch) != nullptr) {
      Draws draws = DrawsFor(key, kPatch);
      const int64_t top = draws.Below(canvas.shape.height - shape_.height + 1);
      const int64_t left = draws.Below(canvas.shape.width - shape_.width + 1);
      CropWithBorder({left, top, shape_.width, shape_.height}, canvas);
    }
  }

  void Flip(const SampleKey& key, Canvas& canvas) const {
    if (const AugmentStep* step = options_.spec.Find(kFlip)) {
      Draws draws = DrawsFor(key, kFlip);
      if (draws.Uniform() < step->values[0]) FlipLeftRight(canvas);
    }
    if (options_.spec.Find(kAlternatingFlip) != nullptr) {
      // The first epoch's choice, then the other way round each time.
      Draws draws = DrawsFor({key.seed, 0, key.sample}, kAlternatingFlip);
      if (((draws.Word() >> 31) ^ (key.epoch & 1)) != 0) FlipLeftRight(canvas);
    }
  }

  void Colour(const SampleKey& key, Canvas& canvas) const {
    if (const AugmentStep* step = options_.spec.Find(kJitter)) {
      Draws draws = DrawsFor(key, kJitter);
      Jitter(step->values, draws, canvas);
    }
    if (const AugmentStep* step = options_.spec.Find(kPca)) {
      Draws draws = DrawsFor(key, kPca);
      std::array<double, 3> shift = {};
      for (const auto& component : options_.components) {
        const double amount = step->values[0] * draws.Normal();
        for (size_t c = 0; c < 3; ++c) shift[c] += amount * component[c];
      }
      ShiftColour(shift, canvas);
    }
  }

  void Erase(const SampleKey& key, Canvas& canvas) const {
    const AugmentStep* step = options_.spec.Find(kErase);
    if (step == nullptr) return;
    Draws draws = DrawsFor(key, kErase);
    if (draws.Uniform() >= step->values[0]) return;
    Fill(ErasedBox({canvas.shape.height, canvas.shape.width}, draws),
         options_.mean_colour, canvas);
  }

  // With another image of the set, changed as it is itself in this epoch. If
  // both ways were asked for, each is taken half of the time.
  void Mix(int64_t index, int64_t epoch, Canvas& canvas,
           std::span<float> probabilities) const {
    ALEXNET_CHECK(probabilities.size() >= class_names().size());
    const SampleKey key = KeyOf(index, epoch);
    const AugmentStep* blend = options_.spec.Find(kMixup);
    const AugmentStep* cut = options_.spec.Find(kCutmix);
    Draws draws = DrawsFor(key, kMixup);
    const bool paste =
        cut != nullptr && (blend == nullptr || draws.Uniform() < 0.5);
    const int64_t partner = draws.Below(size());
    double share = draws.Beta(paste ? cut->values[0] : blend->values[0]);
    const Canvas other = Change(partner, epoch);
    if (paste) {
      const Box box = CutBox({shape_.height, shape_.width}, share, draws);
      Paste(other, box, canvas);
      share = 1.0 - static_cast<double>(box.width * box.height) /
                        static_cast<double>(shape_.height * shape_.width);
    } else {
      Blend(other, share, canvas);
    }
    std::ranges::fill(probabilities, 0.0F);
    const auto ours = static_cast<size_t>(label(index));
    const auto theirs = static_cast<size_t>(label(partner));
    probabilities[ours] = static_cast<float>(share);
    // What is left to one, so that the sum is exact.
    probabilities[theirs] = ours == theirs ? 1.0F : 1.0F - probabilities[ours];
  }

  const Dataset& whole_;
  AugmentOptions options_;
  Shape3 shape_;
};

}  // namespace

std::unique_ptr<Dataset> Augmented(const Dataset& dataset,
                                   const AugmentOptions& options) {
  return std::make_unique<AugmentedDataset>(dataset, options);
}

}  // namespace alexnet
