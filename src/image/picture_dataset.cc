// SPDX-License-Identifier: MIT
#include "image/picture_dataset.h"

#include <algorithm>
#include <map>
#include <utility>

#include "alexnet/error.h"
#include "core/resize_rgb.h"
#include "data/fingerprint.h"
#include "io/input_file.h"

namespace alexnet {
namespace {

// Resizes the whole of `box`.
void ResizeBox(const ImagePart& part, Size2 size, std::span<uint8_t> pixels) {
  const Box& box = part.box;
  const ResizePlan plan({box.height, box.width}, size);
  const RgbPixels in = {
      .data =
          part.image.rgb.data() + 3 * (box.top * part.image.width + box.left),
      .row_bytes = 3 * part.image.width,
  };
  ResizeRgb(plan, in, {.size = size}, pixels);
}

// torchvision's rounding of half a pixel: to the even number.
int64_t HalfToEven(int64_t twice) {
  const int64_t half = twice / 2;
  return twice % 2 == 0 ? half : half + half % 2;
}

// Of a picture once its shorter edge is resized; a strip of one pixel by
// millions would get billions.
constexpr int64_t kMostSide = int64_t{1} << 20;

// Resize(edge), CenterCrop(size) of a picture, as a window of the plan.
struct CentrePlan {
  ResizePlan plan;
  RgbWindow window;

  CentrePlan(Size2 full, int64_t edge, Size2 size) {
    const int64_t shorter = std::min(full.width, full.height);
    const Size2 resized = {
        .height = full.height == shorter ? edge : edge * full.height / shorter,
        .width = full.width == shorter ? edge : edge * full.width / shorter};
    if (resized.height > kMostSide || resized.width > kMostSide) {
      throw Error(Concat("the picture is too narrow: resized, it would have ",
                         resized.width, "x", resized.height, " pixels"));
    }
    plan = ResizePlan(full, resized);
    window = {.left = HalfToEven(resized.width - size.width),
              .top = HalfToEven(resized.height - size.height),
              .size = size};
  }

  Box Inputs() const {
    const InputRange x =
        InputsOf(plan.horizontal, window.left, window.size.width);
    const InputRange y =
        InputsOf(plan.vertical, window.top, window.size.height);
    return {x.first, y.first, x.end - x.first, y.end - y.first};
  }
};

class PictureDataset : public Dataset {
 public:
  PictureDataset(PictureSet set, const PictureOptions& options)
      : set_(std::move(set)), options_(options) {
    const int64_t most = std::max(options_.size.width, options_.size.height);
    if (options_.size.width < 1 || options_.size.height < 1 ||
        (options_.shorter_edge != 0 && options_.shorter_edge < most)) {
      throw UsageError(Concat("pictures of ", options_.size.width, " × ",
                              options_.size.height, " from the middle of ",
                              options_.shorter_edge,
                              ": the middle cannot be larger than the whole"));
    }
    OpenArchives();
  }

  int64_t size() const override { return std::ssize(set_.files); }
  Shape3 image_shape() const override {
    return {3, options_.size.height, options_.size.width};
  }
  const std::vector<std::string>& class_names() const override {
    return set_.class_names;
  }
  int32_t label(int64_t index) const override { return File(index).label; }
  bool slow_to_read() const override { return true; }

  void Read(int64_t index, std::span<uint8_t> pixels) const override {
    Decode(index, [&](std::span<const uint8_t> bytes) {
      if (options_.shorter_edge == 0) {
        const auto whole = [](Size2 size) {
          return Box{0, 0, size.width, size.height};
        };
        ResizeBox(DecodePart(bytes, whole, {.max_pixels = options_.max_pixels}),
                  options_.size, pixels);
      } else {
        ReadCentre(bytes, pixels);
      }
    });
  }

  void ReadPart(int64_t index, const ChooseBox& choose,
                std::span<uint8_t> pixels) const override {
    DecodeOptions decode{.max_pixels = options_.max_pixels};
    if (options_.dct_scaling) decode.shrink_to = options_.size;
    Decode(index, [&](std::span<const uint8_t> bytes) {
      ResizeBox(DecodePart(bytes, choose, decode), options_.size, pixels);
    });
  }

  std::string fingerprint() const override {
    return Concat(set_.name, ":", size(), ":", Hex(Hash(/*times=*/false)));
  }
  std::string cache_key() const override {
    return Concat(set_.name, ":", size(), ":", Hex(Hash(/*times=*/true)), ":",
                  options_.size.height, "x", options_.size.width, ":",
                  options_.shorter_edge);
  }

 private:
  const PictureFile& File(int64_t index) const {
    return set_.files.at(static_cast<size_t>(index));
  }

  void OpenArchives() {
    for (const PictureFile& file : set_.files) {
      if (file.whole_file || archives_.contains(file.path)) continue;
      archives_[file.path] = std::make_unique<InputFile>(set_.root / file.path);
    }
  }

  std::vector<uint8_t> BytesOf(const PictureFile& file) const {
    if (file.whole_file) return ReadPictureBytes(set_.root / file.path);
    std::vector<uint8_t> bytes(static_cast<size_t>(file.bytes));
    archives_.at(file.path)->ReadAt(static_cast<uint64_t>(file.offset),
                                    std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }

  template <class Use>
  void Decode(int64_t index, Use&& use) const {
    const PictureFile& file = File(index);
    try {
      use(std::span<const uint8_t>(BytesOf(file)));
    } catch (const Error& error) {
      const std::string place =
          file.whole_file ? "" : Concat(" at byte ", file.offset);
      throw Error(
          Concat((set_.root / file.path).string(), place, ": ", error.what()));
    }
  }

  void ReadCentre(std::span<const uint8_t> bytes,
                  std::span<uint8_t> pixels) const {
    std::unique_ptr<CentrePlan> centre;
    const ImagePart part =
        DecodePart(bytes,
                   [&](Size2 full) {
                     centre = std::make_unique<CentrePlan>(
                         full, options_.shorter_edge, options_.size);
                     return centre->Inputs();
                   },
                   {.max_pixels = options_.max_pixels});
    const RgbPixels in = {
        .data = part.image.rgb.data() +
                3 * (part.box.top * part.image.width + part.box.left),
        .row_bytes = 3 * part.image.width,
        .left = part.chosen.left,
        .top = part.chosen.top,
    };
    ResizeRgb(centre->plan, in, centre->window, pixels);
  }

  // Names, sizes and labels; not the root, so that a set may be moved.
  uint64_t Hash(bool times) const {
    uint64_t hash = 0;
    for (const PictureFile& file : set_.files) {
      const int64_t numbers[] = {file.label, file.offset, file.bytes,
                                 times ? file.modified_ns : 0};
      hash = HashBytes(std::as_bytes(std::span(file.path)), hash);
      hash = HashBytes(std::as_bytes(std::span(numbers)), hash);
    }
    for (const std::string& name : set_.class_names) {
      hash = HashBytes(std::as_bytes(std::span(name)), hash);
    }
    return hash;
  }

  PictureSet set_;
  PictureOptions options_;
  std::map<std::string, std::unique_ptr<InputFile>> archives_;
};

}  // namespace

std::unique_ptr<Dataset> PicturesAsDataset(PictureSet set,
                                           const PictureOptions& options) {
  return std::make_unique<PictureDataset>(std::move(set), options);
}

}  // namespace alexnet
