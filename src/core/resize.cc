// SPDX-License-Identifier: MIT
// Pillow's bilinear resize on bytes; resize.h has the formula.
#include "core/resize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "alexnet/error.h"

namespace alexnet {
namespace {

constexpr int kFractionBits = kResizeFractionBits;
constexpr int32_t kHalf = int32_t{1} << (kFractionBits - 1);

// The inputs that one output looks at.
struct Window {
  double center = 0;
  int64_t first = 0;
  int64_t end = 0;
};

Window WindowOf(int64_t output, int64_t in, double scale, double stretch) {
  Window window;
  window.center = (static_cast<double>(output) + 0.5) * scale;
  window.first =
      std::max(int64_t{0}, static_cast<int64_t>(window.center - stretch + 0.5));
  window.end =
      std::min(in, static_cast<int64_t>(window.center + stretch + 0.5));
  return window;
}

// How much each input counts; `triangle` has room for them.
void WeightsOf(const Window& window, double stretch, double* triangle,
               int32_t* weights) {
  const double slope = 1.0 / stretch;
  const int64_t count = window.end - window.first;
  double sum = 0;
  for (int64_t j = 0; j < count; ++j) {
    const double x =
        (static_cast<double>(window.first + j) - window.center + 0.5) * slope;
    triangle[j] = std::max(0.0, 1.0 - std::abs(x));
    sum += triangle[j];
  }
  for (int64_t j = 0; j < count; ++j) {
    const double normalised = sum == 0 ? triangle[j] : triangle[j] / sum;
    weights[j] = static_cast<int32_t>(0.5 + normalised * (1 << kFractionBits));
  }
}

void ResizeRows(const ResizeAxis& axis, int64_t rows, const uint8_t* in,
                uint8_t* out) {
  for (int64_t row = 0; row < rows; ++row, in += axis.in) {
    for (int64_t x = 0; x < axis.out; ++x) {
      const auto i = static_cast<size_t>(x);
      const uint8_t* source = in + axis.first[i];
      const int32_t* weights = axis.weights.data() + x * axis.taps;
      int32_t sum = kHalf;
      for (int32_t j = 0; j < axis.count[i]; ++j) sum += weights[j] * source[j];
      *out++ = ResizeClip8(sum);
    }
  }
}

void ResizeColumns(const ResizeAxis& axis, int64_t width, const uint8_t* in,
                   uint8_t* out) {
  for (int64_t y = 0; y < axis.out; ++y) {
    const auto i = static_cast<size_t>(y);
    const uint8_t* source = in + axis.first[i] * width;
    const int32_t* weights = axis.weights.data() + y * axis.taps;
    for (int64_t x = 0; x < width; ++x) {
      int32_t sum = kHalf;
      for (int32_t j = 0; j < axis.count[i]; ++j) {
        sum += weights[j] * source[j * width + x];
      }
      *out++ = ResizeClip8(sum);
    }
  }
}

}  // namespace

ResizeAxis::ResizeAxis(int64_t in_size, int64_t out_size)
    : in(in_size), out(out_size) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (in < 1 || out < 1 || in > kMost || out > kMost) {
    throw UsageError(Concat("resize from ", in, " to ", out,
                            ": expected sizes from 1 to ", kMost));
  }
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  std::vector<Window> windows(static_cast<size_t>(out));
  first.resize(windows.size());
  count.resize(windows.size());
  for (size_t i = 0; i < windows.size(); ++i) {
    windows[i] = WindowOf(static_cast<int64_t>(i), in, scale, stretch);
    first[i] = static_cast<int32_t>(windows[i].first);
    count[i] = static_cast<int32_t>(windows[i].end - windows[i].first);
    taps = std::max(taps, int64_t{count[i]});
  }
  weights.resize(windows.size() * static_cast<size_t>(taps));
  std::vector<double> triangle(static_cast<size_t>(taps));
  for (size_t i = 0; i < windows.size(); ++i) {
    WeightsOf(windows[i], stretch, triangle.data(),
              weights.data() + i * static_cast<size_t>(taps));
  }
}

void ResizePlane(const ResizePlan& plan, std::span<const uint8_t> in,
                 std::span<uint8_t> scratch, std::span<uint8_t> out) {
  const ResizeAxis& horizontal = plan.horizontal;
  const ResizeAxis& vertical = plan.vertical;
  ALEXNET_CHECK(std::ssize(in) == vertical.in * horizontal.in);
  ALEXNET_CHECK(std::ssize(scratch) >= plan.scratch_bytes());
  ALEXNET_CHECK(std::ssize(out) == vertical.out * horizontal.out);
  const uint8_t* rows = in.data();
  if (horizontal.in != horizontal.out) {
    ResizeRows(horizontal, vertical.in, in.data(), scratch.data());
    rows = scratch.data();
  }
  if (vertical.in != vertical.out) {
    ResizeColumns(vertical, horizontal.out, rows, out.data());
  } else {
    std::copy_n(rows, out.size(), out.data());
  }
}

}  // namespace alexnet
