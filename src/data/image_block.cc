// SPDX-License-Identifier: MIT
#include "data/image_block.h"

#include <algorithm>
#include <utility>

#include "alexnet/error.h"
#include "data/fingerprint.h"

namespace alexnet {
namespace {

class BlockDataset : public Dataset {
 public:
  explicit BlockDataset(ImageBlock block) : block_(std::move(block)) {
    ALEXNET_CHECK(block_.pixels.size() ==
                  block_.labels.size() *
                      static_cast<size_t>(block_.shape.elements()));
  }

  int64_t size() const override { return std::ssize(block_.labels); }
  Shape3 image_shape() const override { return block_.shape; }
  const std::vector<std::string>& class_names() const override {
    return block_.class_names;
  }
  int32_t label(int64_t index) const override {
    return block_.labels.at(static_cast<size_t>(index));
  }
  void Read(int64_t index, std::span<uint8_t> pixels) const override {
    const int64_t bytes = block_.shape.elements();
    ALEXNET_CHECK(index >= 0 && index < size());
    ALEXNET_CHECK(std::ssize(pixels) == bytes);
    std::copy_n(block_.pixels.data() + index * bytes, bytes, pixels.data());
  }
  ImageView staged_view() const override {
    return {block_.pixels, block_.shape};
  }
  std::string fingerprint() const override {
    return ImagesFingerprint(
        block_.name,
        HashBytes(std::as_bytes(std::span(block_.pixels)), /*seed=*/0),
        block_.labels);
  }

 private:
  ImageBlock block_;
};

}  // namespace

std::unique_ptr<Dataset> MakeDataset(ImageBlock block) {
  return std::make_unique<BlockDataset>(std::move(block));
}

}  // namespace alexnet
