// SPDX-License-Identifier: MIT
#include "core/resize_rgb.h"

#include <algorithm>
#include <memory>
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
// the form that the kernels want. An axis that does not change is copied, by
// weights of one. `count` is filled up with outputs that are not looked at.
struct RowTables {
  std::vector<int32_t> first;
  std::vector<int16_t> weights;
  RowPass pass;

  RowTables(const ResizeAxis& axis, int64_t begin, int64_t count,
            int64_t origin) {
    const bool copy = axis.in == axis.out;
    const int64_t most = copy ? 1 : axis.taps;
    pass.outputs = RoundUp(count, kRowOutputs);
    pass.steps = RoundUp(most, kRowStepPixels) / kRowStepPixels;
    first.resize(static_cast<size_t>(pass.outputs));
    weights.resize(static_cast<size_t>(pass.outputs * pass.steps * 8));
    for (int64_t i = 0; i < count; ++i) {
      const auto output = static_cast<size_t>(begin + i);
      const int64_t from = copy ? begin + i : axis.first[output];
      first[static_cast<size_t>(i)] = static_cast<int32_t>(from - origin);
      const int64_t taps = copy ? 1 : axis.count[output];
      const int32_t* source =
          axis.weights.data() + output * static_cast<size_t>(axis.taps);
      for (int64_t j = 0; j < taps; ++j) {
        SetWeight(i, j, copy ? 1 << kResizeFractionBits : source[j]);
      }
    }
    pass.first = first.data();
    pass.weights = weights.data();
  }

  // Bytes that the kernel may look at: every output takes as many pixels as
  // the widest window, so that the last ones reach beyond the row, with weights
  // of zero.
  int64_t reach() const {
    const int64_t last = *std::ranges::max_element(first);
    return 3 * (last + (pass.steps - 1) * kRowStepPixels) + kRowStepBytes;
  }

 private:
  static int64_t RoundUp(int64_t value, int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
  }

  void SetWeight(int64_t output, int64_t tap, int32_t weight) {
    const int64_t step = output * pass.steps + tap / kRowStepPixels;
    const auto at = static_cast<size_t>(step * 8 + tap % kRowStepPixels);
    weights[at] = static_cast<int16_t>(weight >> kLowerBits);
    weights[at + kRowStepPixels] =
        static_cast<int16_t>(weight & ((1 << kLowerBits) - 1));
  }
};

// Of the rows between the two passes: a picture of a few pixels by millions
// would fill the memory there, whatever its number of pixels.
constexpr int64_t kMostRowBytes = int64_t{1} << 30;

// What lies between the two passes: four bytes a pixel.
struct Narrowed {
  std::unique_ptr<uint8_t[]> bytes;
  int64_t row_bytes = 0;
};

// The first pass, of two rows at a time; the last one may be done twice.
Narrowed Narrow(const RowTables& tables, const RgbPixels& in,
                const InputRange& columns, const InputRange& rows) {
  Narrowed narrow;
  narrow.row_bytes = 4 * tables.pass.outputs;
  const int64_t count = rows.end - rows.first;
  if (count > kMostRowBytes / narrow.row_bytes) {
    throw Error(Concat("resize: ", count, " rows of ", tables.pass.outputs,
                       " pixels are too many to hold"));
  }
  narrow.bytes = std::make_unique_for_overwrite<uint8_t[]>(
      static_cast<size_t>(count * narrow.row_bytes));
  const int64_t used = 3 * (columns.end - columns.first);
  const int64_t reach = std::max(used, tables.reach());
  std::vector<uint8_t> padded(static_cast<size_t>(2 * reach));
  const uint8_t* const sources[2] = {padded.data(), padded.data() + reach};
  for (int64_t y = 0; y < count; y += 2) {
    uint8_t* out[2];
    for (int64_t i = 0; i < 2; ++i) {
      const int64_t row = std::min(y + i, count - 1);
      const uint8_t* from = in.data +
                            (rows.first + row - in.top) * in.row_bytes +
                            3 * (columns.first - in.left);
      std::copy_n(from, used, padded.data() + i * reach);
      out[i] = narrow.bytes.get() + row * narrow.row_bytes;
    }
    Kernels().rows(tables.pass, sources, out);
  }
  return narrow;
}

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
  const RowTables tables(plan.horizontal, window.left, size.width,
                         columns.first);
  const Narrowed narrow = Narrow(tables, in, columns, rows);
  const ResizeKernels& kernels = Kernels();
  const int64_t width = narrow.row_bytes;
  std::vector<uint8_t> line(static_cast<size_t>(width));
  const ResizeAxis& vertical = plan.vertical;
  for (int64_t y = 0; y < size.height; ++y) {
    const auto output = static_cast<size_t>(window.top + y);
    const uint8_t* from = narrow.bytes.get();
    if (vertical.in == vertical.out) {
      from += y * width;
    } else {
      from += (vertical.first[output] - rows.first) * width;
      kernels.column(
          vertical.weights.data() + output * static_cast<size_t>(vertical.taps),
          vertical.count[output], from, width, line.data());
      from = line.data();
    }
    uint8_t* const plane_rows[3] = {
        &planes[static_cast<size_t>(y * size.width)],
        &planes[static_cast<size_t>((size.height + y) * size.width)],
        &planes[static_cast<size_t>((2 * size.height + y) * size.width)]};
    kernels.split(from, size.width, plane_rows);
  }
}

}  // namespace alexnet
