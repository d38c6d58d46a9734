// SPDX-License-Identifier: MIT
// Checks of what reaches an engine, the same for every engine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "alexnet/engine.h"

namespace alexnet {

// Throws UsageError for a spec that makes no sense.
void CheckEngineSpec(const EngineSpec& spec);

// Throws UsageError for a step below 1, a negative epoch, or a learning rate
// that is negative or not finite.
void CheckStep(const StepParams& step);

// Throws UsageError unless `actual` values are what `what` needs.
void CheckCount(const char* what, size_t actual, int64_t expected);

// The images staged with an engine that refers to memory instead of copying.
class StagedSets {
 public:
  StagedImages Add(const EngineSpec& spec, ImageView images);
  // Throws UsageError for an id that Add did not return.
  const ImageView& Get(StagedImages staged) const;

 private:
  std::vector<ImageView> sets_;
};

// A batch whose images have been found and checked: 1 to batch_size of them,
// of the right shape, picked by valid indices.
class CheckedBatch {
 public:
  CheckedBatch(const EngineSpec& spec, const StagedSets& sets,
               const Batch& batch);

  int64_t count() const { return count_; }
  std::span<const uint8_t> pixels(int64_t i) const;
  int64_t sample_id(int64_t i) const;

 private:
  ImageView images_;
  std::span<const int64_t> indices_;
  std::span<const int64_t> sample_ids_;
  int64_t count_ = 0;
};

// Throws UsageError unless there is a label or a row of probabilities for each
// image and nothing else; Error, with the image, for one out of range.
void CheckLabels(const EngineSpec& spec, const Batch& batch);

}  // namespace alexnet
