// SPDX-License-Identifier: MIT
// Labelled images in memory or on disk, and the order they are visited in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "alexnet/model.h"

namespace alexnet {

// A rectangle of an image, in pixels.
struct Box {
  int64_t left = 0;
  int64_t top = 0;
  int64_t width = 0;
  int64_t height = 0;
  bool operator==(const Box&) const = default;
};

// Picks a part of an image, not empty and inside of it, given its size.
using ChooseBox = std::function<Box(Size2 size)>;

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
  // The same, read into memory first where the images lie on the disk as bytes:
  // for a device that keeps them. The view lives as long as the set.
  virtual ImageView LoadedView() const { return staged_view(); }
  // The image's number in the set it comes from, where this one is a part of
  // another: what its randomness depends on, and its index in staged_view().
  virtual int64_t sample_id(int64_t index) const { return index; }
  // Changes when the images or labels do; stored in checkpoints.
  virtual std::string fingerprint() const = 0;

  // The part that `choose` picks of the image as it lies on the disk, which may
  // be larger than image_shape(), resized to image_shape().
  virtual void ReadPart(int64_t index, const ChooseBox& choose,
                        std::span<uint8_t> pixels) const;
  // The image as training sees it in `epoch`: augmented, if the set says so,
  // by a function of index and epoch alone. A set that mixes labels also
  // writes `probabilities`, one for each class; there may be room for more.
  virtual void ReadForTraining(int64_t index, int64_t epoch,
                               std::span<uint8_t> pixels,
                               std::span<float> probabilities) const;
  virtual bool mixes_labels() const { return false; }
  // Whether reading is work, such as decoding, for more than one thread.
  virtual bool slow_to_read() const { return false; }
  // As fingerprint(), but also changes when files were touched: what a cache
  // made from the images goes by.
  virtual std::string cache_key() const { return fingerprint(); }
};

enum class Split { kTrain, kTest };

// CIFAR-10 from `dir`, which holds cifar-10-batches-bin/, cifar-10-batches-py/
// or one of the official archives (cifar-10-binary.tar.gz,
// cifar-10-python.tar.gz), tried in that order. In file order. The images of
// cifar-10-batches-bin/ stay on the disk, its files open; the others are read
// into memory. Throws Error naming the file, the offset, what was expected and
// what was found.
std::unique_ptr<Dataset> LoadCifar10(const std::filesystem::path& dir,
                                     Split split);

// True if LoadCifar10 would find something to read in `dir`.
bool HasCifar10(const std::filesystem::path& dir);

// CIFAR-100 with its fine labels, likewise, from cifar-100-binary/,
// cifar-100-python/ or their official archives. Not in a build of the core
// alone.
std::unique_ptr<Dataset> LoadCifar100(const std::filesystem::path& dir,
                                      Split split);

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

// The same, and keeps the other set alive.
std::unique_ptr<Dataset> Subset(std::unique_ptr<Dataset> dataset,
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
