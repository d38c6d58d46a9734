// SPDX-License-Identifier: MIT
// Labelled images in memory or on disk, and the order they are visited in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/model.h"

namespace alexnet {

// A fixed set of labelled images, all of one shape, as bytes. Immutable, so
// that any number of threads may read it.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual Shape3 image_shape() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  virtual int32_t label(int64_t index) const = 0;
  // Writes image `index`, planar, image_shape().elements() bytes.
  virtual void Read(int64_t index, std::span<uint8_t> pixels) const = 0;
  // All images at once where they lie in memory anyway, else empty: such a set
  // can be staged with an engine and addressed by index.
  virtual ImageView staged_view() const { return {}; }
  // The image's number in the set it comes from, where this one is a part of
  // another: what its randomness depends on, and its index in staged_view().
  virtual int64_t sample_id(int64_t index) const { return index; }
  // Changes when the images or labels do; stored in checkpoints.
  virtual std::string fingerprint() const = 0;
};

enum class Split { kTrain, kTest };

// CIFAR-10 from `dir`, which holds cifar-10-batches-bin/, cifar-10-batches-py/
// or one of the official archives (cifar-10-binary.tar.gz,
// cifar-10-python.tar.gz), tried in that order. In file order. Throws Error
// naming the file, the offset, what was expected and what was found.
std::unique_ptr<Dataset> LoadCifar10(const std::filesystem::path& dir,
                                     Split split);

// True if LoadCifar10 would find something to read in `dir`.
bool HasCifar10(const std::filesystem::path& dir);

struct ShapesOptions {
  int64_t count = 10'000;
  uint64_t seed = 0;
};

// Ten classes of procedurally drawn 32×32 colour images (circle, ring, square,
// …), made in memory from a seed; the two splits never share an image. The
// same bytes on every machine.
std::unique_ptr<Dataset> MakeShapes(const ShapesOptions& options, Split split);

// Some images of another set, which must outlive it.
std::unique_ptr<Dataset> Subset(const Dataset& dataset,
                                std::vector<int64_t> indices);

// Holds out round(fraction · n) images chosen by the seed. Both lists ascend,
// so that an unshuffled run still goes in file order. fraction in [0, 1).
struct SplitIndices {
  std::vector<int64_t> train;
  std::vector<int64_t> validation;
};
SplitIndices SplitByFraction(int64_t n, double fraction, uint64_t seed);

// The order of an epoch: 0 … n−1, or, shuffled, that of PyTorch's
// DistributedSampler(num_replicas=1, rank=0, shuffle=True, seed=seed) after
// set_epoch(epoch). A function of its arguments alone.
std::vector<int64_t> EpochOrder(int64_t n, bool shuffle, uint64_t seed,
                                int64_t epoch);

}  // namespace alexnet
