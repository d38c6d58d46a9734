// SPDX-License-Identifier: MIT
#include "eval_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "output.h"

namespace alexnet::cli {
namespace {

// Class by class, from the confusion matrix.
struct ClassFigures {
  int64_t images = 0;
  int64_t correct = 0;
  int64_t predicted = 0;
};

std::vector<ClassFigures> PerClass(const EvalReport& report) {
  const size_t classes = report.class_names.size();
  const auto& confusion = report.evaluation.confusion;
  std::vector<ClassFigures> figures(classes);
  for (size_t i = 0; i < classes; ++i) {
    figures[i].correct = confusion[i * classes + i];
    for (size_t j = 0; j < classes; ++j) {
      figures[i].images += confusion[i * classes + j];
      figures[j].predicted += confusion[i * classes + j];
    }
  }
  return figures;
}

double Share(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

size_t NameWidth(const EvalReport& report) {
  size_t width = 5;
  for (const auto& name : report.class_names) {
    width = std::max(width, name.size());
  }
  return width;
}

std::string ConfusionTable(const EvalReport& report) {
  const size_t classes = report.class_names.size();
  const size_t width = NameWidth(report);
  std::string text = fmt::format("\n{:<{}}", "true \\ predicted", width + 8);
  for (size_t j = 0; j < classes; ++j) text += fmt::format("{:>6}", j);
  text += "\n";
  for (size_t i = 0; i < classes; ++i) {
    text += fmt::format("{:<{}}{:>4}    ", report.class_names[i], width, i);
    for (size_t j = 0; j < classes; ++j) {
      text +=
          fmt::format("{:>6}", report.evaluation.confusion[i * classes + j]);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string AccuracyLine(const Evaluation& evaluation) {
  const double percent = 100.0 * static_cast<double>(evaluation.correct_top1) /
                         static_cast<double>(evaluation.images);
  return fmt::format("The accuracy of total {} images: {}%", evaluation.images,
                     AsPython(percent));
}

std::string EvalTables(const EvalReport& report) {
  const Evaluation& e = report.evaluation;
  const size_t width = NameWidth(report);
  std::string text = fmt::format(
      "top-1 {}   top-5 {}   loss {:.4f}   ({} images)\n\n"
      "{:<{}}  images  correct    recall  precision\n",
      Percent(e.top1()), Percent(e.top5()), e.loss, e.images, "class", width);
  const auto figures = PerClass(report);
  for (size_t i = 0; i < figures.size(); ++i) {
    const ClassFigures& f = figures[i];
    text += fmt::format("{:<{}}  {:>6}  {:>7}  {:>8}  {:>9}\n",
                        report.class_names[i], width, f.images, f.correct,
                        Percent(Share(f.correct, f.images)),
                        Percent(Share(f.correct, f.predicted)));
  }
  // A wider table would not fit a screen; --confusion and --json have it.
  constexpr size_t kMostColumns = 20;
  if (figures.size() <= kMostColumns) text += ConfusionTable(report);
  return text;
}

std::string EvalJson(const EvalReport& report) {
  const Evaluation& e = report.evaluation;
  const size_t classes = report.class_names.size();
  nlohmann::ordered_json json;
  json["weights"] = report.weights;
  json["images"] = e.images;
  json["loss"] = e.loss;
  json["top1"] = e.top1();
  json["top5"] = e.top5();
  const auto figures = PerClass(report);
  for (size_t i = 0; i < classes; ++i) {
    const ClassFigures& f = figures[i];
    json["classes"].push_back({{"name", report.class_names[i]},
                               {"images", f.images},
                               {"correct", f.correct},
                               {"recall", Share(f.correct, f.images)},
                               {"precision", Share(f.correct, f.predicted)}});
    const auto row = e.confusion.begin() + static_cast<ptrdiff_t>(i * classes);
    json["confusion"].push_back(
        std::vector<int64_t>(row, row + static_cast<ptrdiff_t>(classes)));
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

}  // namespace alexnet::cli
