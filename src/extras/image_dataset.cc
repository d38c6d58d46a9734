// SPDX-License-Identifier: MIT
#include "extras/image_dataset.h"

#include <utility>

#include "alexnet/error.h"
#include "core/resize.h"
#include "extras/md5.h"
#include "image/image_file.h"

namespace alexnet {
namespace {

class ImageFiles : public Dataset {
 public:
  ImageFiles(std::vector<std::filesystem::path> paths, Size2 size,
             std::vector<std::string> class_names)
      : paths_(std::move(paths)),
        size_(size),
        class_names_(std::move(class_names)) {}

  int64_t size() const override { return static_cast<int64_t>(paths_.size()); }
  Shape3 image_shape() const override { return {3, size_.height, size_.width}; }
  const std::vector<std::string>& class_names() const override {
    return class_names_;
  }
  int32_t label(int64_t) const override { return 0; }
  void Read(int64_t index, std::span<uint8_t> pixels) const override;
  std::string fingerprint() const override;

 private:
  std::vector<std::filesystem::path> paths_;
  Size2 size_;
  std::vector<std::string> class_names_;
};

void ImageFiles::Read(int64_t index, std::span<uint8_t> pixels) const {
  ALEXNET_CHECK(pixels.size() == static_cast<size_t>(image_shape().elements()));
  const Image image = ReadImage(paths_.at(static_cast<size_t>(index)));
  const std::vector<uint8_t> planes = ToPlanar(image);
  const ResizePlan plan({image.height, image.width}, size_);
  std::vector<uint8_t> scratch(static_cast<size_t>(plan.scratch_bytes()));
  const size_t in = planes.size() / 3;
  const size_t out = pixels.size() / 3;
  for (size_t c = 0; c < 3; ++c) {
    ResizePlane(plan, std::span(planes).subspan(c * in, in), scratch,
                pixels.subspan(c * out, out));
  }
}

std::string ImageFiles::fingerprint() const {
  std::string names;
  for (const auto& path : paths_) names += path.string() + '\n';
  return Concat("image files ", Md5OfText(names), " at ", size_.height, "x",
                size_.width);
}

}  // namespace

std::unique_ptr<Dataset> ImagesAsDataset(
    std::vector<std::filesystem::path> paths, Size2 size,
    std::vector<std::string> class_names) {
  return std::make_unique<ImageFiles>(std::move(paths), size,
                                      std::move(class_names));
}

}  // namespace alexnet
