// SPDX-License-Identifier: MIT
#include "train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "alexnet/error.h"
#include "data/loader.h"

namespace alexnet {
namespace {

// NaN loses against everything, so that it is never taken for an answer.
bool Beats(float a, float b) { return a > b || (std::isnan(b) && a == a); }

size_t Likeliest(std::span<const float> logits) {
  size_t best = 0;
  for (size_t c = 1; c < logits.size(); ++c) {
    if (Beats(logits[c], logits[best])) best = c;
  }
  return best;
}

// Classes ranked before `label`; of equals the first in index order.
int64_t RankOf(std::span<const float> logits, size_t label) {
  int64_t rank = 0;
  for (size_t c = 0; c < logits.size(); ++c) {
    const bool tie = logits[c] == logits[label] && c < label;
    rank += tie || Beats(logits[c], logits[label]);
  }
  return rank;
}

// −ln softmax(logits)[label].
double CrossEntropy(std::span<const float> logits, size_t label) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - top);
  return std::log(sum) + top - double{logits[label]};
}

void Count(std::span<const float> logits, int32_t label, double& loss_sum,
           Evaluation& result) {
  const auto classes = logits.size();
  if (label < 0 || static_cast<size_t>(label) >= classes) {
    throw Error(Concat("image ", result.images, ": label ", label,
                       ", expected 0 to ", classes - 1));
  }
  const auto truth = static_cast<size_t>(label);
  const size_t predicted = Likeliest(logits);
  const int64_t rank = RankOf(logits, truth);
  const bool is_number = !std::isnan(logits[truth]);
  loss_sum += CrossEntropy(logits, truth);
  ++result.images;
  result.correct_top1 += is_number && rank == 0;
  result.correct_top5 += is_number && rank < 5;
  ++result.confusion[truth * classes + predicted];
}

// Collects the views of an image.
class ViewMean {
 public:
  ViewMean(int64_t views, size_t classes)
      : views_(views), sums_(classes), logs_(classes) {}

  // The logarithms of the mean probabilities once all views were added, else
  // nothing.
  std::span<const float> Add(std::span<const float> logits) {
    if (views_ == 1) return logits;
    const double top = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(double{logit} - top);
    for (size_t c = 0; c < logits.size(); ++c) {
      sums_[c] += std::exp(double{logits[c]} - top) / sum;
    }
    if (++added_ < views_) return {};
    for (size_t c = 0; c < logits.size(); ++c) {
      logs_[c] =
          static_cast<float>(std::log(sums_[c] / static_cast<double>(views_)));
    }
    std::fill(sums_.begin(), sums_.end(), 0.0);
    added_ = 0;
    return logs_;
  }

 private:
  int64_t views_;
  int64_t added_ = 0;
  std::vector<double> sums_;
  std::vector<float> logs_;
};

}  // namespace

void CheckFits(const Engine& engine, const Dataset& dataset) {
  const int64_t classes = engine.spec().model.classes;
  const auto known = static_cast<int64_t>(dataset.class_names().size());
  if (dataset.size() == 0) throw UsageError("the data set has no images");
  if (known > classes) {
    throw UsageError(Concat("the network has ", classes,
                            " outputs, but the images have ", known,
                            " classes"));
  }
}

std::optional<Evaluation> EvaluateUnlessStopped(
    Engine& engine, const Dataset& dataset, const EvaluateOptions& options) {
  CheckFits(engine, dataset);
  const auto classes = static_cast<size_t>(engine.spec().model.classes);
  const int64_t batch_size = engine.spec().batch_size;
  std::vector<int64_t> order(static_cast<size_t>(dataset.size()));
  std::iota(order.begin(), order.end(), 0);
  Loader loader(dataset, std::move(order),
                {.batch_size = batch_size,
                 .threads = options.loader_threads,
                 .staged = options.staged});
  std::vector<float> room(static_cast<size_t>(batch_size) * classes);
  Evaluation result;
  result.confusion.resize(classes * classes);
  double loss_sum = 0;
  ViewMean mean(options.views, classes);
  while (const Batch* batch = loader.Next()) {
    if (options.stop.stop_requested()) return std::nullopt;
    const auto count = static_cast<size_t>(batch->count());
    const std::span logits = std::span(room).first(count * classes);
    engine.Infer(*batch, logits);
    for (size_t i = 0; i < count; ++i) {
      const auto one = mean.Add(logits.subspan(i * classes, classes));
      if (one.empty()) continue;
      Count(one, batch->labels[i], loss_sum, result);
      if (options.views > 1 && options.on_logits) options.on_logits(one);
    }
    if (options.views == 1 && options.on_logits) options.on_logits(logits);
  }
  result.loss = loss_sum / static_cast<double>(result.images);
  return result;
}

// The images are not staged: an engine keeps what it was given for good, and
// this may be called any number of times.
Evaluation Evaluate(
    Engine& engine, const Dataset& dataset, int64_t loader_threads,
    const std::function<void(std::span<const float>)>& on_logits) {
  return *EvaluateUnlessStopped(
      engine, dataset,
      {.loader_threads = loader_threads, .on_logits = on_logits});
}

std::vector<ClassProbability> RankClasses(std::span<const float> logits) {
  double top = -INFINITY;
  for (size_t c = 0; c < logits.size(); ++c) {
    if (!std::isfinite(logits[c])) {
      throw Error(
          Concat("the network's output ", c, " is ", logits[c],
                 ", expected a finite number; are the weights damaged?"));
    }
    top = std::max(top, double{logits[c]});
  }
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - top);
  std::vector<ClassProbability> ranked;
  for (const float logit : logits) {
    ranked.push_back({.label = static_cast<int32_t>(ranked.size()),
                      .probability = static_cast<float>(
                          std::exp(double{logit} - top) / sum)});
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const ClassProbability& a, const ClassProbability& b) {
                     return a.probability > b.probability;
                   });
  return ranked;
}

}  // namespace alexnet
