// SPDX-License-Identifier: MIT
#include "extras/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <thread>

#include "alexnet/error.h"
#include "extras/loss_curve.h"
#include "extras/temp_folder.h"
#include "image/image_file.h"

namespace alexnet {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
using Rgb = std::array<int, 3>;
constexpr Rgb kLossColor{31, 111, 190};
constexpr Rgb kValidationColor{222, 98, 24};

// Pixels of about that colour within [top, bottom) of the height.
int64_t Count(const Image& image, Rgb color, double top = 0.14,
              double bottom = 1) {
  int64_t count = 0;
  const auto first = static_cast<int64_t>(top * double(image.height));
  const auto last = static_cast<int64_t>(bottom * double(image.height));
  for (int64_t i = first * image.width; i < last * image.width; ++i) {
    int distance = 0;
    for (size_t c = 0; c < 3; ++c) {
      distance +=
          std::abs(image.rgb[static_cast<size_t>(3 * i) + c] - color[c]);
    }
    count += distance < 12;
  }
  return count;
}

LossSeries Falling(int64_t n) {
  LossSeries series;
  for (int64_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(i);
    series.steps.push_back(t);
    series.losses.push_back(2.3 * std::exp(-3 * t / static_cast<double>(n)) +
                            0.1 * std::sin(t * t));
  }
  return series;
}

class PlotTest : public testing::Test {
 protected:
  Image Draw(const LossSeries& series) {
    PlotLoss(folder_ / "loss.png", series);
    return ReadImage(folder_ / "loss.png");
  }
  std::string DrawSvg(const LossSeries& series) {
    PlotLoss(folder_ / "loss.svg", series);
    return FileText(folder_ / "loss.svg");
  }
  const TempFolder folder_;
};

TEST_F(PlotTest, ShowsTheCurve) {
  const Image image = Draw(Falling(500));
  EXPECT_EQ(image.width, 1200);
  EXPECT_EQ(image.height, 800);
  EXPECT_GT(Count(image, kLossColor), 1500);
  EXPECT_EQ(Count(image, kValidationColor), 0);
  // The title is there: dark pixels at the top.
  EXPECT_GT(Count(image, {45, 50, 58}, 0, 0.1), 200);
}

TEST_F(PlotTest, ShowsValidation) {
  LossSeries series = Falling(500);
  series.validation_steps = {250, 500};
  series.validation_losses = {1.2, 0.9};
  EXPECT_GT(Count(Draw(series), kValidationColor), 200);
}

TEST_F(PlotTest, DrawsWhateverComes) {
  const std::vector<LossSeries> all = {
      {},
      {{0}, {2.3}, {}, {}},
      {{0, 1, 2}, {0, 0, 0}, {}, {}},
      {{5, 5, 5}, {1, 2, 3}, {}, {}},
      {{0, 1, 2}, {1e99, -1e99, 1e-99}, {}, {}},
      {{0, 1, 2}, {kNan, kInfinity, -kInfinity}, {1}, {kNan}},
  };
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    const Image image = Draw(all[i]);
    EXPECT_EQ(image.width, 1200);
    EXPECT_THAT(DrawSvg(all[i]), HasSubstr("</svg>"));
  }
}

TEST_F(PlotTest, ShowsASinglePoint) {
  EXPECT_GT(Count(Draw({{0}, {2.3}, {}, {}}), kLossColor), 20);
}

TEST_F(PlotTest, SaysHowManyLossesAreNotFinite) {
  LossSeries series = Falling(300);
  constexpr Rgb kWarning{190, 30, 30};
  EXPECT_EQ(Count(Draw(series), kWarning, 0, 0.14), 0);
  series.losses[100] = kNan;
  EXPECT_GT(Count(Draw(series), kWarning, 0, 0.14), 20);
}

TEST_F(PlotTest, KeepsALongSvgSmall) {
  const std::string svg = DrawSvg(Falling(100'000));
  EXPECT_LT(svg.size(), 300'000U);
  EXPECT_GT(svg.size(), 30'000U);
}

// Tags nest and close, attributes are quoted.
TEST_F(PlotTest, WritesAWellFormedSvg) {
  const std::string svg = DrawSvg(Falling(50));
  EXPECT_THAT(svg, testing::StartsWith("<?xml"));
  std::vector<std::string> open;
  for (size_t at = svg.find('<'); at != std::string::npos;
       at = svg.find('<', at + 1)) {
    const size_t end = svg.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = svg.substr(at + 1, end - at - 1);
    ASSERT_EQ(std::count(tag.begin(), tag.end(), '"') % 2, 0) << tag;
    if (tag[0] == '?' || tag[0] == '!' || tag.back() == '/') continue;
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (name[0] != '/') {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty());
    ASSERT_EQ(open.back(), name.substr(1));
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

TEST_F(PlotTest, RefusesWhatItCannotDo) {
  EXPECT_THROW(PlotLoss(folder_ / "a.gif", Falling(3)), UsageError);
  EXPECT_THROW(PlotLoss(folder_ / "a.png", {{1, 2}, {1}, {}, {}}), UsageError);
  EXPECT_THROW(PlotLoss(folder_ / "no" / "a.png", Falling(3)), Error);
  EXPECT_THROW(PlotLoss(folder_ / "no" / "a.svg", Falling(3)), Error);
  const std::vector<int64_t> three{1, 2, 3};
  EXPECT_THROW(PlotConfusion(folder_ / "a.png", {"x", "y"}, three), UsageError);
  EXPECT_THROW(PlotConfusion(folder_ / "a.png", {}, {}), UsageError);
}

TEST_F(PlotTest, DrawsFromSeveralThreads) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      PlotLoss(folder_ / (std::to_string(i) + ".png"), Falling(100));
    });
  }
  threads.clear();
  const std::string first = FileText(folder_ / "0.png");
  for (const char* name : {"1.png", "2.png", "3.png"}) {
    EXPECT_TRUE(FileText(folder_ / name) == first) << name;
  }
}

TEST_F(PlotTest, DrawsTheConfusionMatrix) {
  const std::vector<std::string> names{"cat", "# dog & <b>", "\xFF\n"};
  const std::vector<int64_t> counts{9, 1, 0, 0, 5, 5, 0, 0, 0};
  PlotConfusion(folder_ / "c.png", names, counts);
  const Image image = ReadImage(folder_ / "c.png");
  // 90 % of full, 50 % of full; a cell is 800 / 3 pixels wide.
  EXPECT_GT(Count(image, {33, 83, 142}), 40'000);
  EXPECT_GT(Count(image, {132, 160, 192}), 80'000);
}

TEST_F(PlotTest, DrawsManyClasses) {
  const std::vector<std::string> names(200, "a class with quite a long name");
  std::vector<int64_t> counts(40'000);
  for (size_t i = 0; i < 200; ++i) counts[i * 201] = 3;
  PlotConfusion(folder_ / "c.png", names, counts);
  const Image image = ReadImage(folder_ / "c.png");
  EXPECT_GT(Count(image, {8, 64, 129}), 500);
}

TEST(SmoothedLosses, StartUnbiasedAndSkipWhatIsNotFinite) {
  const std::vector<double> losses{kNan, 2, 2, kInfinity, 2};
  const std::vector<double> smoothed = SmoothedLosses(losses);
  EXPECT_TRUE(std::isnan(smoothed[0]));
  for (size_t i = 1; i < 5; ++i) EXPECT_DOUBLE_EQ(smoothed[i], 2) << i;
}

TEST(SmoothedLosses, IsTheWeightedMeanOfThePast) {
  // Short series average with weights 1, 1/2, 1/4, … into the past.
  const std::vector<double> smoothed =
      SmoothedLosses(std::vector<double>{1, 3, 5});
  EXPECT_DOUBLE_EQ(smoothed[0], 1);
  EXPECT_DOUBLE_EQ(smoothed[1], (3 + 1 / 2.0) / 1.5);
  EXPECT_DOUBLE_EQ(smoothed[2], (5 + 3 / 2.0 + 1 / 4.0) / 1.75);
}

TEST(ThinnedLines, KeepExtremes) {
  std::vector<double> x;
  std::vector<double> y;
  for (int i = 0; i < 10'000; ++i) {
    x.push_back(i);
    y.push_back(i == 4321 ? 100 : i == 777 ? -100 : i % 7);
  }
  const auto lines = ThinnedLines(x, y, 100);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_LE(lines[0].size(), 202U);
  bool high = false;
  bool low = false;
  for (size_t i = 0; i < lines[0].size(); ++i) {
    high = high || (lines[0][i].y == 100 && lines[0][i].x == 4321);
    low = low || (lines[0][i].y == -100 && lines[0][i].x == 777);
    if (i > 0) {
      EXPECT_LT(lines[0][i - 1].x, lines[0][i].x);
    }
  }
  EXPECT_TRUE(high && low);
}

TEST(ThinnedLines, BreakWhereNothingCanBeDrawn) {
  const std::vector<double> x{0, 1, 2, 3, 4};
  const std::vector<double> y{1, kNan, 2, 3, kInfinity};
  const auto lines = ThinnedLines(x, y, 100);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].size(), 1U);
  EXPECT_EQ(lines[1].size(), 2U);
}

}  // namespace
}  // namespace alexnet
