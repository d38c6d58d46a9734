// SPDX-License-Identifier: MIT
// From options to images.
#include <algorithm>
#include <cmath>

#include "alexnet/error.h"
#include "core/machine.h"
#include "data/augmented.h"
#include "data/fingerprint.h"
#include "data/idx.h"
#include "data/image_cache.h"
#include "data/loader.h"
#include "data/sound_images.h"
#include "data/statistics.h"
#include "image/picture_dataset.h"
#include "train/run.h"

namespace alexnet {
namespace {

namespace fs = std::filesystem;

// Fixed, so that a saved model meets the same test images whatever the seed of
// its training was.
constexpr uint64_t kShapesSeed = 0;

// The components are known well from so many.
constexpr int64_t kPcaImages = 10'000;

constexpr char kTrainTar[] = "ILSVRC2012_img_train.tar";
constexpr char kValTar[] = "ILSVRC2012_img_val.tar";

fs::path DataFolder(const RunOptions& options) {
  return options.data.empty() ? kDefaultData : options.data;
}

// Which part of a set of pictures is meant; a test set may stand in `val`.
enum class Part { kTrain, kValidation, kTest };

std::string_view Name(Part part) {
  return part == Part::kTrain        ? "train"
         : part == Part::kValidation ? "val"
                                     : "test";
}

std::unique_ptr<Dataset> LoadCifar(const RunOptions& options, Split split) {
  const fs::path folder = DataFolder(options);
  if (options.dataset == "cifar100") return LoadCifar100(folder, split);
  if (!HasCifar10(folder)) {
    throw Error(Concat(
        folder.string(),
        ": no CIFAR-10 found there (expected cifar-10-batches-bin/, "
        "cifar-10-batches-py/ or an official cifar-10-*.tar.gz). --download "
        "fetches it, --data names another folder, and --dataset shapes needs "
        "no files at all."));
  }
  return LoadCifar10(folder, split);
}

std::unique_ptr<Dataset> LoadDigits(const RunOptions& options, Split split) {
  const int64_t channels = MakePreset(options.arch).input.channels;
  return LoadMnist(DataFolder(options), options.dataset, split, channels);
}

std::unique_ptr<Dataset> LoadShapes(const RunOptions& options, Split split) {
  const int64_t count =
      split == Split::kTrain ? options.shapes_count : kShapesTestImages;
  return MakeShapes({.count = count, .seed = kShapesSeed}, split);
}

// Both must know the same classes, or a label would mean different things.
void CheckSameClasses(const std::vector<std::string>& training,
                      const PictureSet& set, Part part) {
  for (size_t i = 0; i < std::max(training.size(), set.class_names.size());
       ++i) {
    const std::string ours =
        i < set.class_names.size() ? set.class_names[i] : "nothing";
    const std::string theirs = i < training.size() ? training[i] : "nothing";
    if (ours == theirs) continue;
    throw Error(Concat(set.root.string(), ": class ", i, " of the ", Name(part),
                       " pictures is ", ours, ", of the training pictures ",
                       theirs, "; both need the same classes"));
  }
}

std::optional<PictureSet> FindFolder(const fs::path& root, Part part) {
  const bool split_here = fs::is_directory(root / "train");
  if (split_here) {
    fs::path folder = root / Name(part);
    if (part == Part::kTest && !fs::is_directory(folder)) folder = root / "val";
    if (!fs::is_directory(folder)) return std::nullopt;
    PictureSet set = ScanPictureFolder(folder, Concat("folder-", Name(part)));
    if (part != Part::kTrain) {
      CheckSameClasses(PictureClasses(root / "train"), set, part);
    }
    return set;
  }
  if (part == Part::kValidation) return std::nullopt;
  if (part == Part::kTest && fs::is_directory(root / "test")) {
    return ScanPictureFolder(root / "test", "folder-test");
  }
  return ScanPictureFolder(root, "folder");
}

std::optional<PictureSet> FindList(const fs::path& path, Part part) {
  if (!fs::is_directory(path)) {
    if (part == Part::kValidation) return std::nullopt;
    return ReadPictureList(path, "list", {});
  }
  const fs::path training = path / "train.txt";
  if (part == Part::kTrain) return ReadPictureList(training, "list-train", {});
  fs::path file = path / Concat(Name(part), ".txt");
  if (part == Part::kTest && !fs::exists(file)) file = path / "val.txt";
  if (!fs::exists(file)) return std::nullopt;
  std::vector<std::string> classes;
  if (fs::exists(training)) {
    classes = ReadPictureList(training, "list-train", {}).class_names;
  }
  return ReadPictureList(file, Concat("list-", Name(part)), classes);
}

// The official archives, or folders as for `folder`. ImageNet's test pictures
// have no labels: what is tested with is its validation set, which therefore
// is not used in training.
std::optional<PictureSet> FindImageNet(const fs::path& root, Part part) {
  if (!fs::exists(root / kTrainTar)) {
    return part == Part::kValidation ? std::nullopt : FindFolder(root, part);
  }
  if (part == Part::kTrain) {
    return ScanTarOfTars(root / kTrainTar, "imagenet-train");
  }
  if (part == Part::kValidation) return std::nullopt;
  const auto classes =
      ScanTarOfTars(root / kTrainTar, "imagenet-train").class_names;
  if (fs::is_directory(root / "val")) {
    PictureSet set = ScanPictureFolder(root / "val", "imagenet-val");
    CheckSameClasses(classes, set, part);
    return set;
  }
  return ScanTarWithList(root / kValTar, root / "val.txt", "imagenet-val",
                         classes);
}

// Every data set, once: it is either loaded as a whole or a set of pictures
// that are looked for.
struct DataSource {
  std::string_view name;
  std::unique_ptr<Dataset> (*load)(const RunOptions&, Split) = nullptr;
  std::optional<PictureSet> (*find)(const fs::path&, Part) = nullptr;
};

constexpr DataSource kSources[] = {
    {.name = "cifar10", .load = LoadCifar},
    {.name = "cifar100", .load = LoadCifar},
    {.name = "mnist", .load = LoadDigits},
    {.name = "fashion-mnist", .load = LoadDigits},
    {.name = "shapes", .load = LoadShapes},
    {.name = "folder", .find = FindFolder},
    {.name = "list", .find = FindList},
    {.name = "imagenet", .find = FindImageNet},
};

const DataSource& SourceOf(const RunOptions& options) {
  const auto* found =
      std::ranges::find(kSources, options.dataset, &DataSource::name);
  if (found != std::end(kSources)) return *found;
  throw UsageError(
      Concat("dataset: got ", options.dataset, ", expected ", DataSetNames()));
}

std::string JoinedNames() {
  std::string names;
  for (const DataSource& source : kSources) {
    const bool last = &source == &kSources[std::size(kSources) - 1];
    names += Concat(names.empty() ? "" : last ? " or " : ", ", source.name);
  }
  return names;
}

std::optional<PictureSet> FindPictures(const RunOptions& options, Part part) {
  const fs::path path = DataFolder(options);
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw Error(Concat(path.string(),
                       ": there is no such folder; --data "
                       "names the folder of the images"));
  }
  return SourceOf(options).find(path, part);
}

PictureOptions DecodingOf(const RunOptions& options) {
  PictureOptions decoding;
  const Shape3 input = MakePreset(options.arch).input;
  decoding.size = options.image_size > 0
                      ? Size2{options.image_size, options.image_size}
                      : Size2{input.height, input.width};
  decoding.shorter_edge = options.eval_crop;
  decoding.max_pixels = static_cast<int64_t>(options.max_megapixels * 1e6);
  decoding.dct_scaling = options.dct_scaling;
  return decoding;
}

std::unique_ptr<Dataset> OpenPictures(PictureSet set, const RunOptions& options,
                                      const Say& say) {
  const std::string name = set.name;
  const std::string source =
      fs::absolute(set.source).lexically_normal().string();
  auto images = PicturesAsDataset(std::move(set), DecodingOf(options));
  if (options.damaged == "skip") {
    images = SoundImages(std::move(images), UsableCores(), say);
  }
  if (!options.cache.empty()) {
    const Shape3 shape = images->image_shape();
    const std::string file =
        Concat(name, "-", shape.height, "x", shape.width, "-",
               options.eval_crop, "-", options.damaged, "-",
               Hex(HashBytes(std::as_bytes(std::span(source)), 0)), ".images");
    images = Cached(std::move(images), fs::path(options.cache) / file,
                    UsableCores(), say);
  }
  return images;
}

}  // namespace

std::string_view DataSetNames() {
  static const std::string names = JoinedNames();
  return names;
}

bool IsDataSet(std::string_view name) {
  return std::ranges::find(kSources, name, &DataSource::name) !=
         std::end(kSources);
}

std::unique_ptr<Dataset> LoadDataset(const RunOptions& options, Split split,
                                     const Say& say) {
  const DataSource& source = SourceOf(options);
  if (source.load != nullptr) return source.load(options, split);
  const Part part = split == Split::kTrain ? Part::kTrain : Part::kTest;
  auto set = FindPictures(options, part);
  if (!set) {
    throw Error(Concat(DataFolder(options).string(),
                       ": has no pictures to test with; expected test or val "
                       "beside train"));
  }
  if (part == Part::kTest && say &&
      (set->name == "folder" || set->name == "list")) {
    say("there are no other pictures to test with: these may have been trained "
        "on");
  }
  return OpenPictures(*std::move(set), options, say);
}

std::unique_ptr<Dataset> LoadValidation(const RunOptions& options,
                                        const Say& say) {
  if (SourceOf(options).find == nullptr) return nullptr;
  auto set = FindPictures(options, Part::kValidation);
  return set ? OpenPictures(*std::move(set), options, say) : nullptr;
}

std::unique_ptr<Dataset> AugmentFor(const RunOptions& options,
                                    const Dataset& images) {
  AugmentOptions augment;
  augment.spec = ParseAugment(options.augment);
  if (augment.spec.steps.empty()) return nullptr;
  augment.seed = options.seed;
  for (size_t c = 0; c < 3; ++c) {
    augment.mean_colour[c] = static_cast<uint8_t>(
        std::clamp(std::nearbyint(options.mean[c] * 255.0), 0.0, 255.0));
  }
  if (augment.spec.Find(AugmentKind::kPca) != nullptr) {
    const DataStatistics found =
        MeasureData(images, kPcaImages, LoaderThreads(options, images));
    for (size_t k = 0; k < 3; ++k) {
      const double deviation = 255.0 * std::sqrt(found.eigenvalues[k]);
      for (size_t c = 0; c < 3; ++c) {
        augment.components[k][c] = deviation * found.eigenvectors[k][c];
      }
    }
  }
  return Augmented(images, augment);
}

std::unique_ptr<Dataset> EvaluationView(const RunOptions& options,
                                        const Dataset& images) {
  AugmentOptions augment;
  augment.spec = ParseAugment(options.augment);
  return augment.spec.Find(AugmentKind::kPatch) != nullptr
             ? Augmented(images, augment)
             : nullptr;
}

PictureTransform PictureTransformOf(const RunOptions& options,
                                    const Dataset& images) {
  PictureTransform pictures;
  const bool decoded = SourceOf(options).find != nullptr;
  if (decoded) {
    pictures.size = options.image_size;
    pictures.shorter_edge = options.eval_crop;
  }
  const AugmentSpec augment = ParseAugment(options.augment);
  if (const AugmentStep* patch = augment.Find(AugmentKind::kPatch)) {
    pictures.patch = static_cast<int64_t>(patch->values[0]);
    // The patch is cut from images as the set has them.
    if (!decoded) pictures.size = images.image_shape().height;
  }
  return pictures;
}

void TakeFromFile(const ModelMetadata& metadata, RunOptions& options) {
  const auto take = [&](std::string_view name, auto& option, auto value) {
    if (!options.given.contains(name)) option = std::move(value);
  };
  take("arch", options.arch, metadata.arch);
  const PictureTransform& pictures = metadata.pictures;
  if (pictures == PictureTransform{}) return;  // also of older files
  take("image-size", options.image_size, pictures.size);
  take("eval-crop", options.eval_crop, pictures.shorter_edge);
  take("augment", options.augment,
       pictures.patch > 0 ? Concat("patch:", pictures.patch) : std::string());
}

int64_t LoaderThreads(const RunOptions& options, const Dataset& dataset) {
  if (options.loader_threads > 0) return options.loader_threads;
  if (!dataset.slow_to_read()) return 1;
  return std::min<int64_t>(UsableCores(), kMaxLoaderThreads);
}

}  // namespace alexnet
