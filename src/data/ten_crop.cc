// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>

#include "alexnet/error.h"
#include "data/augment.h"
#include "data/augmented.h"

namespace alexnet {
namespace {

// The views of an image are read one after the other: it is decoded once.
struct LastRead {
  uint64_t owner = 0;
  int64_t index = -1;
  Canvas canvas;
};

class TenCropDataset : public Dataset {
 public:
  TenCropDataset(const Dataset& dataset, int64_t side)
      : whole_(dataset), side_(side) {
    const Shape3 shape = dataset.image_shape();
    if (side < 1 || side > std::min(shape.height, shape.width)) {
      throw UsageError(Concat("ten-crop: squares of ", side,
                              ", but the images have ", shape.width, " × ",
                              shape.height));
    }
    static std::atomic<uint64_t> last_id = 0;
    id_ = ++last_id;
  }

  int64_t size() const override { return kTenCropViews * whole_.size(); }
  Shape3 image_shape() const override {
    return {whole_.image_shape().channels, side_, side_};
  }
  const std::vector<std::string>& class_names() const override {
    return whole_.class_names();
  }
  int32_t label(int64_t index) const override {
    return whole_.label(index / kTenCropViews);
  }
  bool slow_to_read() const override { return whole_.slow_to_read(); }
  std::string fingerprint() const override {
    return Concat(whole_.fingerprint(), "/ten-crop:", side_);
  }

  void Read(int64_t index, std::span<uint8_t> pixels) const override {
    thread_local LastRead last;
    const int64_t image = index / kTenCropViews;
    if (last.owner != id_ || last.index != image) {
      last.owner = 0;  // in case of an exception
      last.canvas.shape = whole_.image_shape();
      last.canvas.pixels.resize(
          static_cast<size_t>(last.canvas.shape.elements()));
      whole_.Read(image, last.canvas.pixels);
      last.owner = id_;
      last.index = image;
    }
    Canvas view = last.canvas;
    CropWithBorder(BoxOf(index % kTenCropViews % 5), view);
    if (index % kTenCropViews >= 5) FlipLeftRight(view);
    std::ranges::copy(view.pixels, pixels.begin());
  }

 private:
  // Corners: top left, top right, bottom left, bottom right; the middle.
  Box BoxOf(int64_t place) const {
    const Shape3 shape = whole_.image_shape();
    const int64_t right = shape.width - side_;
    const int64_t bottom = shape.height - side_;
    if (place == 4) {
      // torchvision's rounding of halves, to the even number.
      const auto half = [](int64_t n) { return n / 2 + (n % 4 == 3 ? 1 : 0); };
      return {half(right), half(bottom), side_, side_};
    }
    return {place % 2 == 1 ? right : 0, place >= 2 ? bottom : 0, side_, side_};
  }

  const Dataset& whole_;
  int64_t side_;
  uint64_t id_ = 0;
};

}  // namespace

std::unique_ptr<Dataset> TenCrops(const Dataset& dataset, int64_t side) {
  return std::make_unique<TenCropDataset>(dataset, side);
}

}  // namespace alexnet
