// SPDX-License-Identifier: MIT
// What a data set of images in memory does unless it knows better.
#include "alexnet/dataset.h"

#include <algorithm>
#include <vector>

#include "alexnet/error.h"
#include "core/resize.h"

namespace alexnet {

void Dataset::ReadPart(int64_t index, const ChooseBox& choose,
                       std::span<uint8_t> pixels) const {
  const Shape3 shape = image_shape();
  const Size2 size = {shape.height, shape.width};
  const Box box = choose(size);
  ALEXNET_CHECK(box.left >= 0 && box.top >= 0 && box.width > 0 &&
                box.height > 0 && box.left + box.width <= size.width &&
                box.top + box.height <= size.height);
  std::vector<uint8_t> whole(static_cast<size_t>(shape.elements()));
  Read(index, whole);
  const ResizePlan plan({box.height, box.width}, size);
  std::vector<uint8_t> part(static_cast<size_t>(box.height * box.width));
  std::vector<uint8_t> scratch(static_cast<size_t>(plan.scratch_bytes()));
  const auto plane = static_cast<size_t>(size.height * size.width);
  for (size_t c = 0; c < static_cast<size_t>(shape.channels); ++c) {
    for (int64_t y = 0; y < box.height; ++y) {
      std::copy_n(
          whole.data() + c * plane + (box.top + y) * size.width + box.left,
          box.width, part.data() + y * box.width);
    }
    ResizePlane(plan, part, scratch, pixels.subspan(c * plane, plane));
  }
}

void Dataset::ReadForTraining(int64_t index, int64_t, std::span<uint8_t> pixels,
                              std::span<float>) const {
  Read(index, pixels);
}

}  // namespace alexnet
