// SPDX-License-Identifier: MIT
#include <algorithm>
#include <limits>

#include "alexnet/error.h"
#include "extras/axis.h"
#include "extras/canvas.h"
#include "extras/label_text.h"
#include "extras/loss_curve.h"
#include "extras/plot.h"
#include "image/image_codec.h"
#include "io/atomic_file.h"

namespace alexnet {
namespace {

constexpr int64_t kWidth = 1200;
constexpr int64_t kHeight = 800;
// Two points a bucket are all that the picture's pixels can show.
constexpr int64_t kBuckets = 900;
constexpr double kLeft = 140;
constexpr double kRight = 1140;
constexpr double kTop = 112;
constexpr double kBottom = 700;
constexpr Color kLossColor{31, 111, 190};
constexpr Color kValidationColor{222, 98, 24};

void CheckSeries(const LossSeries& series) {
  if (series.steps.size() != series.losses.size() ||
      series.validation_steps.size() != series.validation_losses.size()) {
    throw UsageError(Concat("expected as many losses as steps, found ",
                            series.losses.size(), " for ", series.steps.size(),
                            " and ", series.validation_losses.size(), " for ",
                            series.validation_steps.size()));
  }
}

void Widen(std::span<const double> values, double& low, double& high) {
  for (const double value : values) {
    if (!Drawable(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
}

struct Axes {
  Axis x;
  Axis y;
};

Axes AxesFor(const LossSeries& series) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  Axes axes{{kNone, -kNone, kLeft, kRight}, {kNone, -kNone, kBottom, kTop}};
  Widen(series.steps, axes.x.low, axes.x.high);
  Widen(series.validation_steps, axes.x.low, axes.x.high);
  Widen(series.losses, axes.y.low, axes.y.high);
  Widen(series.validation_losses, axes.y.low, axes.y.high);
  for (Axis* axis : {&axes.x, &axes.y}) {
    if (axis->low > axis->high) axis->low = axis->high = 0;
    EnsureRange(axis->low, axis->high);
  }
  // Room above the highest point; from 0 unless that wastes half the height.
  const double height = axes.y.high - axes.y.low;
  axes.y.high += 0.04 * height;
  const bool from_zero = axes.y.low >= 0 && axes.y.low < 0.5 * axes.y.high;
  axes.y.low = from_zero ? 0 : axes.y.low - 0.04 * height;
  return axes;
}

void DrawFrame(Canvas& canvas, const Axes& axes, const std::string& title) {
  const std::vector<double> xs = Ticks(axes.x.low, axes.x.high, 9, 1);
  const std::vector<double> ys = Ticks(axes.y.low, axes.y.high, 8);
  const auto spacing = [](const std::vector<double>& ticks) {
    return ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
  };
  for (const double y : ys) {
    const double at = axes.y.Pixel(y);
    canvas.Line({{kLeft, at}, {kRight, at}}, kRule, 1);
    canvas.Text({kLeft - 12, at}, TickText(y, spacing(ys)),
                {.size = 19, .color = kPaleInk, .align = 1});
  }
  for (const double x : xs) {
    const double at = axes.x.Pixel(x);
    canvas.Line({{at, kTop}, {at, kBottom}}, kRule, 1);
    canvas.Text({at, kBottom + 22}, TickText(x, spacing(xs)),
                {.size = 19, .color = kPaleInk, .align = 0.5});
  }
  canvas.Line({{kLeft, kTop}, {kLeft, kBottom}, {kRight, kBottom}}, kPaleInk,
              1.5);
  canvas.Text({kLeft, 42}, title, {.size = 30, .bold = true});
  canvas.Text({(kLeft + kRight) / 2, kBottom + 64}, "step",
              {.size = 22, .align = 0.5});
  canvas.Text({26, (kTop + kBottom) / 2}, "loss",
              {.size = 22, .align = 0.5, .degrees = 90});
}

void DrawLine(Canvas& canvas, const Axes& axes, std::span<const double> x,
              std::span<const double> y, Color color, double pen) {
  for (std::vector<Point>& line : ThinnedLines(x, y, kBuckets)) {
    for (Point& point : line) {
      point = {axes.x.Pixel(point.x), axes.y.Pixel(point.y)};
    }
    if (line.size() == 1) canvas.Disc(line[0], pen + 1.5, color);
    canvas.Line(line, color, pen);
  }
}

void DrawCurves(Canvas& canvas, const Axes& axes, const LossSeries& series) {
  const double pen = series.losses.size() < 300 ? 2 : 1;
  DrawLine(canvas, axes, series.steps, series.losses, Fade(kLossColor, 0.35),
           pen);
  DrawLine(canvas, axes, series.steps, SmoothedLosses(series.losses),
           kLossColor, 3);
  DrawLine(canvas, axes, series.validation_steps, series.validation_losses,
           kValidationColor, 1.5);
  for (size_t i = 0; i < series.validation_steps.size(); ++i) {
    if (!Drawable(series.validation_losses[i])) continue;
    canvas.Disc({axes.x.Pixel(series.validation_steps[i]),
                 axes.y.Pixel(series.validation_losses[i])},
                5, kValidationColor);
  }
}

void DrawLegend(Canvas& canvas, const LossSeries& series) {
  constexpr double kRow = 84;
  double x = kLeft;
  const auto entry = [&](const std::string& text, Color color, double pen,
                         double width) {
    canvas.Line({{x, kRow}, {x + 36, kRow}}, color, pen);
    canvas.Text({x + 46, kRow}, text, {.size = 18, .color = kPaleInk});
    x += width;
  };
  entry("every step", Fade(kLossColor, 0.35), 2, 180);
  entry("moving average", kLossColor, 3, 226);
  if (!series.validation_steps.empty()) {
    canvas.Disc({x + 18, kRow}, 5, kValidationColor);
    entry("validation", kValidationColor, 1.5, 180);
  }
  const auto gaps = std::ranges::count_if(
      series.losses, [](double y) { return !Drawable(y); });
  if (gaps > 0) {
    canvas.Text({x, kRow}, Concat(Grouped(gaps), " not finite, not drawn"),
                {.size = 18, .color = {190, 30, 30}});
  }
}

void Draw(Canvas& canvas, const LossSeries& series, const std::string& title) {
  const Axes axes = AxesFor(series);
  DrawFrame(canvas, axes, title);
  DrawCurves(canvas, axes, series);
  DrawLegend(canvas, series);
}

}  // namespace

void PlotLoss(const std::filesystem::path& path, const LossSeries& series,
              const std::string& title) {
  CheckSeries(series);
  if (path.extension() == ".svg") {
    Canvas canvas(Canvas::Format::kSvg, kWidth, kHeight);
    Draw(canvas, series, title);
    return WriteFileAtomically(path, canvas.TakeSvg());
  }
  if (path.extension() != ".png") {
    throw UsageError(
        Concat(path.string(), ": expected a name in .png or .svg"));
  }
  Canvas canvas(Canvas::Format::kPixels, kWidth, kHeight);
  Draw(canvas, series, title);
  WritePng(path, canvas.TakePixels());
}

}  // namespace alexnet
