// SPDX-License-Identifier: MIT
#include "core/resize_rgb.h"

#include <algorithm>
#include <vector>

#include "alexnet/error.h"
#include "core/isa.h"
#include "core/resize_kernels.h"

namespace alexnet {
namespace {

const ResizeKernels& Kernels() {
#ifdef ALEXNET_HAS_AVX2_RESIZE
  static const bool avx2 = SelectedIsa() >= Isa::kAvx2;
  if (avx2) return avx2::kResizeKernels;
#endif
  return generic::kResizeKernels;
}

// Columns [begin, begin + count) of the axis, counted from input `origin`, in
// the form that the kernel wants. An axis that does not change is copied, by
// weights of one.
struct RowTables {
  std::vector<int32_t> first;
  std::vector<int32_t> weights;
  RowPass pass;

  RowTables(const ResizeAxis& axis, int64_t begin, int64_t count,
            int64_t origin) {
    const bool copy = axis.in == axis.out;
    pass.outputs = count;
    pass.steps = copy ? 1 : (axis.taps + 1) / 2;
    first.resize(static_cast<size_t>(count));
    weights.resize(static_cast<size_t>(count * pass.steps * 8));
    for (int64_t i = 0; i < count; ++i) {
      const auto output = static_cast<size_t>(begin + i);
      const int64_t from = copy ? begin + i : axis.first[output];
      first[static_cast<size_t>(i)] = static_cast<int32_t>(from - origin);
      const int64_t taps = copy ? 1 : axis.count[output];
      for (int64_t j = 0; j < taps; ++j) {
        const int32_t weight =
            copy ? 1 << 22
                 : axis.weights[output * static_cast<size_t>(axis.taps) +
                                static_cast<size_t>(j)];
        std::fill_n(weights.begin() + (i * pass.steps * 8 + j * 4), 4, weight);
      }
    }
    pass.first = first.data();
    pass.weights = weights.data();
  }

  // Pixels that the kernel looks at: every output takes as many as the widest
  // window, so that the last ones reach beyond the row's `pixels`, with weights
  // of zero.
  int64_t reach(int64_t pixels) const {
    int64_t end = pixels + 2;
    for (const int32_t from : first) {
      end = std::max(end, from + 2 * pass.steps);
    }
    return end;
  }
};

// Of the rows between the two passes: a picture of a few pixels by millions
// would fill the memory there, whatever its number of pixels.
constexpr int64_t kMostRowBytes = int64_t{1} << 30;

}  // namespace

InputRange InputsOf(const ResizeAxis& axis, int64_t begin, int64_t count) {
  ALEXNET_CHECK(begin >= 0 && count > 0 && begin + count <= axis.out);
  if (axis.in == axis.out) return {begin, begin + count};
  // Both ends of the windows ascend.
  const auto last = static_cast<size_t>(begin + count - 1);
  return {axis.first[static_cast<size_t>(begin)],
          int64_t{axis.first[last]} + axis.count[last]};
}

void ResizeRgb(const ResizePlan& plan, const RgbPixels& in,
               const RgbWindow& window, std::span<uint8_t> planes) {
  const Size2 size = window.size;
  ALEXNET_CHECK(std::ssize(planes) == 3 * size.height * size.width);
  const InputRange columns = InputsOf(plan.horizontal, window.left, size.width);
  const InputRange rows = InputsOf(plan.vertical, window.top, size.height);
  ALEXNET_CHECK(columns.first >= in.left && rows.first >= in.top);
  const ResizeKernels& kernels = Kernels();
  const int64_t width = 3 * size.width;  // of an intermediate row
  const int64_t pixels = columns.end - columns.first;
  const RowTables tables(plan.horizontal, window.left, size.width,
                         columns.first);
  if ((rows.end - rows.first) > kMostRowBytes / width) {
    throw Error(Concat("resize: ", rows.end - rows.first, " rows of ",
                       size.width, " pixels are too many to hold"));
  }
  std::vector<uint8_t> wide(static_cast<size_t>(4 * tables.reach(pixels)));
  std::vector<uint8_t> narrow(
      static_cast<size_t>((rows.end - rows.first) * width));
  for (int64_t y = rows.first; y < rows.end; ++y) {
    kernels.row(
        tables.pass,
        in.data + (y - in.top) * in.row_bytes + 3 * (columns.first - in.left),
        pixels, wide.data(), narrow.data() + (y - rows.first) * width);
  }
  std::vector<int32_t> sums(static_cast<size_t>(width));
  std::vector<uint8_t> line(static_cast<size_t>(width));
  const ResizeAxis& vertical = plan.vertical;
  for (int64_t y = 0; y < size.height; ++y) {
    const auto output = static_cast<size_t>(window.top + y);
    const uint8_t* from = narrow.data();
    if (vertical.in == vertical.out) {
      from += y * width;
    } else {
      from += (vertical.first[output] - rows.first) * width;
      kernels.column(
          vertical.weights.data() + output * static_cast<size_t>(vertical.taps),
          vertical.count[output], from, width, sums.data(), line.data());
      from = line.data();
    }
    for (int64_t c = 0; c < 3; ++c) {
      std::copy_n(from + c * size.width, size.width,
                  planes.data() + (c * size.height + y) * size.width);
    }
  }
}

}  // namespace alexnet
