// SPDX-License-Identifier: MIT
// What --mean, --std and the PCA colour need to know of a set's images.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "alexnet/dataset.h"

namespace alexnet {

// Over all pixels of the images looked at, on the scale 0 to 1. Sums are of
// whole numbers, so that the threads do not matter. One channel counts as
// three equal ones.
struct DataStatistics {
  int64_t images = 0;                 // looked at
  std::vector<int64_t> class_counts;  // of the whole set
  std::array<double, 3> mean = {};
  std::array<double, 3> std = {};
  // Of the covariance of the colours; falling. Row k of the vectors is the
  // k-th, its largest component positive.
  std::array<double, 3> eigenvalues = {};
  std::array<std::array<double, 3>, 3> eigenvectors = {};
};

// Of at most `most_images` images, spread evenly over the set; 0: of all.
DataStatistics MeasureData(const Dataset& dataset, int64_t most_images,
                           int64_t threads);

}  // namespace alexnet
