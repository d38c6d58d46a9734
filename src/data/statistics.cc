// SPDX-License-Identifier: MIT
#include "data/statistics.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "alexnet/error.h"
#include "data/sound_images.h"

namespace alexnet {
namespace {

using Matrix = std::array<std::array<double, 3>, 3>;

struct Sums {
  uint64_t pixels = 0;
  std::array<uint64_t, 3> first = {};
  std::array<std::array<uint64_t, 3>, 3> second = {};  // c ≤ d

  void Add(std::span<const uint8_t> image, Shape3 shape) {
    const auto plane = static_cast<size_t>(shape.height * shape.width);
    const auto channel = [&](size_t c) {
      return image.subspan(shape.channels == 1 ? 0 : c * plane, plane);
    };
    pixels += plane;
    for (size_t c = 0; c < 3; ++c) {
      for (size_t i = 0; i < plane; ++i) first[c] += channel(c)[i];
      for (size_t d = c; d < 3; ++d)
        second[c][d] += Dot(channel(c), channel(d));
    }
  }

  void Add(const Sums& other) {
    pixels += other.pixels;
    for (size_t c = 0; c < 3; ++c) {
      first[c] += other.first[c];
      for (size_t d = c; d < 3; ++d) second[c][d] += other.second[c][d];
    }
  }

 private:
  // In blocks whose sums fit 32 bits, which are faster.
  static uint64_t Dot(std::span<const uint8_t> a, std::span<const uint8_t> b) {
    constexpr size_t kBlock = 65'536;
    uint64_t total = 0;
    for (size_t at = 0; at < a.size(); at += kBlock) {
      const size_t end = std::min(at + kBlock, a.size());
      uint32_t sum = 0;
      for (size_t i = at; i < end; ++i) sum += uint32_t{a[i]} * b[i];
      total += sum;
    }
    return total;
  }
};

// Jacobi's rotations: a becomes diagonal, the columns of v its eigenvectors.
void Diagonalise(Matrix& a, Matrix& v) {
  v = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  for (int sweep = 0; sweep < 50; ++sweep) {
    for (const auto& [p, q] :
         {std::pair<size_t, size_t>{0, 1}, {0, 2}, {1, 2}}) {
      if (a[p][q] == 0) continue;
      const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
      const double t = std::copysign(1.0, theta) /
                       (std::abs(theta) + std::sqrt(theta * theta + 1));
      const double c = 1 / std::sqrt(t * t + 1);
      const double s = t * c;
      for (size_t k = 0; k < 3; ++k) {
        const double x = a[k][p];
        const double y = a[k][q];
        a[k][p] = c * x - s * y;
        a[k][q] = s * x + c * y;
      }
      for (size_t k = 0; k < 3; ++k) {
        const double x = a[p][k];
        const double y = a[q][k];
        a[p][k] = c * x - s * y;
        a[q][k] = s * x + c * y;
        const double z = v[k][p];
        const double w = v[k][q];
        v[k][p] = c * z - s * w;
        v[k][q] = s * z + c * w;
      }
    }
  }
}

void Components(Matrix covariance, DataStatistics& result) {
  Matrix vectors;
  Diagonalise(covariance, vectors);
  std::array<size_t, 3> order = {0, 1, 2};
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](size_t k) { return covariance[k][k]; });
  for (size_t k = 0; k < 3; ++k) {
    const size_t from = order[k];
    result.eigenvalues[k] = std::max(covariance[from][from], 0.0);
    auto& vector = result.eigenvectors[k];
    for (size_t c = 0; c < 3; ++c) vector[c] = vectors[c][from];
    const double largest = *std::ranges::max_element(
        vector, std::less<>(), [](double x) { return std::abs(x); });
    if (largest < 0) {
      for (double& x : vector) x = -x;
    }
  }
}

}  // namespace

DataStatistics MeasureData(const Dataset& dataset, int64_t most_images,
                           int64_t threads) {
  const int64_t size = dataset.size();
  const int64_t count = most_images > 0 ? std::min(size, most_images) : size;
  if (count == 0) throw UsageError("the data set has no images");
  const Shape3 shape = dataset.image_shape();
  Sums sums;
  std::mutex mutex;
  constexpr int64_t kAtOnce = 64;
  ForEachInParallel((count + kAtOnce - 1) / kAtOnce, threads, [&](int64_t k) {
    Sums part;
    std::vector<uint8_t> pixels(static_cast<size_t>(shape.elements()));
    for (int64_t i = k * kAtOnce; i < std::min((k + 1) * kAtOnce, count); ++i) {
      dataset.Read(i * size / count, pixels);
      part.Add(pixels, shape);
    }
    const std::lock_guard lock(mutex);
    sums.Add(part);
  });
  DataStatistics result;
  result.images = count;
  result.class_counts.resize(dataset.class_names().size());
  for (int64_t i = 0; i < size; ++i) {
    ++result.class_counts.at(static_cast<size_t>(dataset.label(i)));
  }
  const auto pixels = static_cast<double>(sums.pixels);
  Matrix covariance;
  for (size_t c = 0; c < 3; ++c) {
    result.mean[c] = static_cast<double>(sums.first[c]) / pixels / 255;
  }
  for (size_t c = 0; c < 3; ++c) {
    for (size_t d = c; d < 3; ++d) {
      covariance[c][d] =
          static_cast<double>(sums.second[c][d]) / pixels / (255.0 * 255.0) -
          result.mean[c] * result.mean[d];
      covariance[d][c] = covariance[c][d];
    }
    result.std[c] = std::sqrt(std::max(covariance[c][c], 0.0));
  }
  Components(covariance, result);
  return result;
}

}  // namespace alexnet
