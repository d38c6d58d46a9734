// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "alexnet/error.h"
#include "extras/canvas.h"
#include "extras/label_text.h"
#include "extras/plot.h"

namespace alexnet {
namespace {

constexpr Color kFull{8, 64, 129};
constexpr Color kWhite{255, 255, 255};
constexpr double kTop = 84;
constexpr double kSide = 800;
constexpr double kBarSpace = 130;
constexpr size_t kMostNumbered = 20;
// Names of more classes would run into each other.
constexpr size_t kMostNamed = 60;
constexpr size_t kLongestName = 24;
constexpr double kNameDegrees = 40;
// Width of a letter on average for a font of height 1.
constexpr double kLetter = 0.6;

// What is drawn, and the sizes that follow from it.
struct Matrix {
  const std::vector<std::string>& names;
  std::span<const int64_t> counts;
  size_t n() const { return names.size(); }
  double cell() const { return kSide / static_cast<double>(n()); }
  // Every how many classes one is named.
  size_t naming() const { return (n() + kMostNamed - 1) / kMostNamed; }
  double name_size() const {
    return std::min(19.0, 0.9 * cell() * static_cast<double>(naming()));
  }
  double name_width() const {
    size_t longest = 0;
    for (const std::string& name : names) {
      longest = std::max(longest, std::min(name.size(), kLongestName));
    }
    return kLetter * name_size() * static_cast<double>(longest);
  }
  // So that the largest count fits into its cell.
  double count_size() const {
    const auto digits = Grouped(std::ranges::max(counts)).size();
    return std::min({22.0, cell() / 3.2,
                     0.9 * cell() / (kLetter * static_cast<double>(digits))});
  }
  double left() const { return 78 + name_width(); }
  double bottom() const { return kTop + kSide; }
  int64_t at(size_t truth, size_t predicted) const {
    return counts[truth * n() + predicted];
  }
  int64_t RowSum(size_t truth) const {
    const auto row = counts.subspan(truth * n(), n());
    return std::accumulate(row.begin(), row.end(), int64_t{0});
  }
};

std::string Percent(double share, int decimals) {
  return Fixed(100 * share, decimals) + " %";
}

void DrawCell(Canvas& canvas, const Matrix& matrix, size_t row, size_t column) {
  const double cell = matrix.cell();
  const auto sum = static_cast<double>(matrix.RowSum(row));
  const int64_t count = matrix.at(row, column);
  const double share = sum > 0 ? static_cast<double>(count) / sum : 0;
  const Point corner{matrix.left() + static_cast<double>(column) * cell,
                     kTop + static_cast<double>(row) * cell};
  const Point opposite{corner.x + cell, corner.y + cell};
  canvas.Fill(corner, opposite, Fade(kFull, share));
  if (matrix.n() > kMostNumbered || count == 0) return;
  const Point middle{corner.x + cell / 2, corner.y + cell / 2};
  const Color color = share > 0.5 ? kWhite : kInk;
  const double size = matrix.count_size();
  canvas.Text({middle.x, middle.y - 0.5 * size}, Grouped(count),
              {.size = size, .color = color, .align = 0.5});
  canvas.Text({middle.x, middle.y + 0.75 * size},
              Percent(share, share < 0.0995 ? 1 : 0),
              {.size = 0.68 * size,
               .color = share > 0.5 ? Fade(kFull, 0.15) : kPaleInk,
               .align = 0.5});
}

void DrawNames(Canvas& canvas, const Matrix& matrix) {
  const double cell = matrix.cell();
  const double size = matrix.name_size();
  for (size_t i = 0; i < matrix.n(); i += matrix.naming()) {
    const double at = (static_cast<double>(i) + 0.5) * cell;
    canvas.Text({matrix.left() - 12, kTop + at},
                Shortened(matrix.names[i], kLongestName),
                {.size = size, .align = 1});
    canvas.Text({matrix.left() + at + 4, kTop + kSide + 16},
                Shortened(matrix.names[i], kLongestName),
                {.size = size, .align = 1, .degrees = kNameDegrees});
  }
}

void DrawFrame(Canvas& canvas, const Matrix& matrix) {
  for (size_t i = 0; i <= matrix.n(); ++i) {
    if (matrix.n() > kMostNamed && i % matrix.n() != 0) continue;
    const double at = static_cast<double>(i) * matrix.cell();
    const Color color = i % matrix.n() == 0 ? kPaleInk : kRule;
    canvas.Line(
        {{matrix.left() + at, kTop}, {matrix.left() + at, kTop + kSide}}, color,
        1);
    canvas.Line(
        {{matrix.left(), kTop + at}, {matrix.left() + kSide, kTop + at}}, color,
        1);
  }
  canvas.Text({matrix.left() + kSide / 2, canvas.height() - 30}, "predicted",
              {.size = 23, .align = 0.5});
  canvas.Text({30, kTop + kSide / 2}, "true",
              {.size = 23, .align = 0.5, .degrees = 90});
}

void DrawColorBar(Canvas& canvas, const Matrix& matrix) {
  const double left = matrix.left() + kSide + 28;
  const double right = left + 22;
  constexpr int kBands = 100;
  for (int i = 0; i < kBands; ++i) {
    canvas.Fill({left, kTop + kSide * (kBands - 1 - i) / kBands},
                {right, kTop + kSide * (kBands - i) / kBands},
                Fade(kFull, (i + 0.5) / kBands));
  }
  for (int percent = 0; percent <= 100; percent += 20) {
    canvas.Text({right + 8, kTop + kSide * (100 - percent) / 100},
                Concat(percent, percent == 100 ? " %" : ""),
                {.size = 16, .color = kPaleInk});
  }
}

std::string Title(const Matrix& matrix) {
  int64_t right = 0;
  int64_t all = 0;
  for (size_t i = 0; i < matrix.n(); ++i) {
    right += matrix.at(i, i);
    all += matrix.RowSum(i);
  }
  if (all == 0) return "Confusion matrix of no images";
  return Concat(
      "Accuracy ",
      Percent(static_cast<double>(right) / static_cast<double>(all), 2), " of ",
      Grouped(all), all == 1 ? " image" : " images");
}

}  // namespace

void PlotConfusion(const std::filesystem::path& path,
                   const std::vector<std::string>& names,
                   std::span<const int64_t> counts) {
  if (names.empty() || counts.size() / names.size() != names.size() ||
      counts.size() % names.size() != 0) {
    throw UsageError(Concat("expected the square of ", names.size(),
                            " class names as counts, found ", counts.size()));
  }
  const Matrix matrix{names, counts};
  const double below = 30 + matrix.name_width() *
                                std::sin(kNameDegrees * std::numbers::pi / 180);
  Canvas canvas(Canvas::Format::kPixels,
                std::llround(matrix.left() + kSide + kBarSpace),
                std::llround(matrix.bottom() + below + 60));
  for (size_t row = 0; row < matrix.n(); ++row) {
    for (size_t column = 0; column < matrix.n(); ++column) {
      DrawCell(canvas, matrix, row, column);
    }
  }
  DrawFrame(canvas, matrix);
  DrawNames(canvas, matrix);
  DrawColorBar(canvas, matrix);
  canvas.Text({matrix.left(), 44}, Title(matrix), {.size = 28, .bold = true});
  WritePng(path, canvas.TakePixels());
}

}  // namespace alexnet
