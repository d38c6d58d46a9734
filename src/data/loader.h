// SPDX-License-Identifier: MIT
// Batches of a data set, read ahead by threads while the engine works.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "alexnet/dataset.h"
#include "alexnet/engine.h"

namespace alexnet {

inline constexpr int64_t kMaxLoaderThreads = 256;

struct LoaderSpec {
  int64_t batch_size = 32;
  int64_t threads = 1;
  // What Engine::Stage returned for dataset.staged_view(): batches then carry
  // indices only. Otherwise the threads read the pixels.
  StagedImages staged = {};
  // If given: as training sees the images in this epoch
  // (Dataset::ReadForTraining). Sets that mix labels then give probabilities,
  // `classes` an image, instead of labels.
  std::optional<int64_t> training_epoch = {};
  int64_t classes = 0;
};

// Yields `order` (indices into the data set) batch by batch, the last one
// short if it does not divide. The batches do not depend on the number of
// threads. An exception while reading is thrown by the Next() whose batch it
// concerns. The data set must outlive the loader.
class Loader {
 public:
  Loader(const Dataset& dataset, std::vector<int64_t> order,
         const LoaderSpec& spec);
  ~Loader();

  // Null at the end. The batch and what its spans refer to stay valid until
  // the next call.
  const Batch* Next();

  // Seconds that the last Next() waited because the data was not there yet.
  double wait_seconds() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace alexnet
