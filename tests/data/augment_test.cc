// SPDX-License-Identifier: MIT
#include "data/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <set>

#include "alexnet/error.h"
#include "data/augment_spec.h"
#include "data/augmented.h"
#include "data/expect_error.h"
#include "data/image_block.h"
#include "data/loader.h"
#include "extras/md5.h"
#include "image/image_file.h"

namespace alexnet {
namespace {

using testing::ExpectError;

const std::filesystem::path kGoldens =
    std::filesystem::path(ALEXNET_GOLDEN_DIR) / "image";

// The boxes that torchvision's own code draws from the same numbers.
TEST(Augment, BoxesAreTorchvisions) {
  std::ifstream list(kGoldens / "boxes.txt");
  std::string kind;
  Size2 size;
  SampleKey key;
  Box box;
  int count = 0;
  while (list >> kind >> size.height >> size.width >> key.seed >> key.epoch >>
         key.sample >> box.left >> box.top >> box.width >> box.height) {
    const bool part = kind == "rrc";
    Draws draws(key, static_cast<uint32_t>(part ? AugmentKind::kResizedCrop
                                                : AugmentKind::kErase));
    const Box found =
        part ? ResizedCropBox(size, {0.08, 1}, draws) : ErasedBox(size, draws);
    EXPECT_EQ(found, box) << kind << " " << size.height << "x" << size.width
                          << " sample " << key.sample;
    ++count;
  }
  EXPECT_EQ(count, 480);
}

TEST(Augment, ColoursArePillows) {
  const Image scene = ReadImage(kGoldens / "scene.png");
  std::ifstream list(kGoldens / "colours.txt");
  std::string kind;
  double value = 0;
  std::string md5;
  int count = 0;
  while (list >> kind >> value >> md5) {
    Canvas canvas{{3, scene.height, scene.width}, ToPlanar(scene)};
    if (kind == "brightness") AdjustBrightness(value, canvas);
    if (kind == "contrast") AdjustContrast(value, canvas);
    if (kind == "saturation") AdjustSaturation(value, canvas);
    if (kind == "hue") AdjustHue(value, canvas);
    EXPECT_EQ(Md5OfText({reinterpret_cast<const char*>(canvas.pixels.data()),
                         canvas.pixels.size()}),
              md5)
        << kind << " " << value;
    ++count;
  }
  EXPECT_EQ(count, 25);
}

Canvas Numbered(int64_t channels, int64_t height, int64_t width) {
  Canvas canvas{{channels, height, width}, {}};
  canvas.pixels.resize(static_cast<size_t>(canvas.shape.elements()));
  std::iota(canvas.pixels.begin(), canvas.pixels.end(), uint8_t{1});
  return canvas;
}

TEST(Augment, CropsBeyondTheEdgeAreBlack) {
  Canvas canvas = Numbered(1, 2, 3);
  CropWithBorder({-1, 1, 3, 3}, canvas);
  EXPECT_THAT(canvas.pixels, ::testing::ElementsAre(0, 4, 5, 0, 0, 0, 0, 0, 0));
  canvas = Numbered(2, 2, 2);
  CropWithBorder({1, -1, 2, 2}, canvas);
  EXPECT_THAT(canvas.pixels, ::testing::ElementsAre(0, 0, 2, 0, 0, 0, 6, 0));
  CropWithBorder({50, 50, 1, 1}, canvas);
  EXPECT_THAT(canvas.pixels, ::testing::ElementsAre(0, 0));
}

TEST(Augment, FlipsFillsShiftsAndBlends) {
  Canvas canvas = Numbered(3, 1, 2);
  FlipLeftRight(canvas);
  EXPECT_THAT(canvas.pixels, ::testing::ElementsAre(2, 1, 4, 3, 6, 5));
  const uint8_t colour[] = {7, 8, 9};
  Fill({1, 0, 1, 1}, colour, canvas);
  EXPECT_THAT(canvas.pixels, ::testing::ElementsAre(2, 7, 4, 8, 6, 9));
  ShiftColour({0.4, -5, 300}, canvas);
  EXPECT_THAT(canvas.pixels, ::testing::ElementsAre(2, 7, 0, 3, 255, 255));
  Canvas other = Numbered(3, 1, 2);
  Blend(other, 0.25, canvas);
  EXPECT_THAT(canvas.pixels, ::testing::ElementsAre(1, 3, 2, 4, 68, 68));
}

TEST(AugmentSpec, ReadsWhatTheTableHas) {
  const AugmentSpec spec = ParseAugment("flip,crop:3,jitter:0.4:0:0.2");
  EXPECT_EQ(spec.steps.size(), 3U);
  EXPECT_EQ(spec.Find(AugmentKind::kCrop)->values[0], 3);
  EXPECT_EQ(spec.Find(AugmentKind::kFlip)->values[0], 0.5);
  EXPECT_EQ(spec.Find(AugmentKind::kPca), nullptr);
  EXPECT_TRUE(ParseAugment("").steps.empty());
  for (const AugmentInfo& info : AugmentTable()) {
    EXPECT_THAT(AugmentHelp(), ::testing::HasSubstr(std::string(info.name)));
    EXPECT_EQ(ParseAugment(info.name).steps.at(0).kind, info.kind);
  }
}

TEST(AugmentSpec, SaysWhatIsWrong) {
  const auto refused = [](const char* text,
                          const std::vector<std::string>& parts) {
    ExpectError([&] { ParseAugment(text); }, parts);
  };
  refused("blur", {"got \"blur\"", "rrc, crop, patch, flip"});
  refused("flip,flip", {"\"flip\" is there twice"});
  refused("flip,,pca", {"got \"\""});
  refused("crop:2.5", {"crop: border: got \"2.5\"", "a whole number"});
  refused("flip:2", {"flip: probability", "from 0 to 1"});
  refused("flip:x", {"got \"x\""});
  refused("flip:0.5:1", {"got \"1\" as well"});
  refused("flip,altflip", {"one of the two"});
  refused("rrc:0.5:0.2", {"the first is larger"});
}

// 20 random images of 8 × 8 in 4 classes.
std::unique_ptr<Dataset> SmallSet() {
  ImageBlock block{"small", {3, 8, 8}, {}, {}, {"a", "b", "c", "d"}};
  uint32_t state = 1;
  for (int i = 0; i < 20; ++i) {
    block.labels.push_back(i % 4);
    for (int j = 0; j < 192; ++j) {
      state = state * 1664525 + 1013904223;
      block.pixels.push_back(static_cast<uint8_t>(state >> 24));
    }
  }
  return MakeDataset(std::move(block));
}

AugmentOptions Options(std::string_view spec, uint64_t seed = 5) {
  AugmentOptions options;
  options.spec = ParseAugment(spec);
  options.seed = seed;
  options.components = {{{20, 10, 5}, {0, 3, 1}, {1, 0, 1}}};
  return options;
}

// All pixels and labels of an epoch, in the order of the images.
std::string Epoch(const Dataset& images, int64_t epoch, int64_t threads,
                  int64_t batch_size) {
  std::vector<int64_t> order(static_cast<size_t>(images.size()));
  std::iota(order.begin(), order.end(), 0);
  Loader loader(images, order,
                {.batch_size = batch_size,
                 .threads = threads,
                 .training_epoch = epoch,
                 .classes = 6});
  std::string all;
  while (const Batch* batch = loader.Next()) {
    const auto pixels = batch->images.pixels;
    all.append(reinterpret_cast<const char*>(pixels.data()), pixels.size());
    if (images.mixes_labels()) {
      EXPECT_TRUE(batch->labels.empty());
      EXPECT_EQ(std::ssize(batch->label_probabilities), 6 * batch->count());
    }
  }
  return all;
}

class EachKind : public ::testing::TestWithParam<const char*> {};

TEST_P(EachKind, DependsOnSeedEpochAndSampleAlone) {
  const auto images = SmallSet();
  const auto augmented = Augmented(*images, Options(GetParam()));
  EXPECT_TRUE(augmented->staged_view().pixels.empty());
  const std::string once = Epoch(*augmented, 3, /*threads=*/1, /*batch=*/20);
  EXPECT_EQ(Epoch(*augmented, 3, 3, 7), once);
  EXPECT_NE(Epoch(*augmented, 4, 1, 20), once);
  EXPECT_NE(Epoch(*Augmented(*images, Options(GetParam(), 6)), 3, 1, 20), once);
  // A part of the set sees each image as the whole does, except for partners.
  if (augmented->mixes_labels()) return;
  const auto part = Subset(*images, {4, 9});
  const auto part_augmented = Augmented(*part, Options(GetParam()));
  const size_t bytes = static_cast<size_t>(augmented->image_shape().elements());
  EXPECT_EQ(Epoch(*part_augmented, 3, 1, 2),
            once.substr(4 * bytes, bytes) + once.substr(9 * bytes, bytes));
}

INSTANTIATE_TEST_SUITE_P(Augment, EachKind,
                         ::testing::Values("rrc", "crop:2", "patch:5", "flip",
                                           "altflip", "jitter:0.4:0.4:0.4:0.1",
                                           "pca", "erase", "mixup", "cutmix",
                                           "rrc,flip,jitter:1,erase,mixup,"
                                           "cutmix"));

TEST(Augmented, FlipsHalfOfTheImages) {
  const auto images = SmallSet();
  for (const char* kind : {"flip", "altflip"}) {
    const auto augmented = Augmented(*images, Options(kind));
    std::vector<uint8_t> plain(192);
    std::vector<uint8_t> seen(192);
    int flipped = 0;
    for (int64_t i = 0; i < 20; ++i) {
      images->Read(i, plain);
      bool before = false;
      for (int64_t epoch = 0; epoch < 20; ++epoch) {
        augmented->ReadForTraining(i, epoch, seen, {});
        const bool now = seen != plain;
        flipped += now;
        if (*kind == 'a' && epoch > 0) {
          EXPECT_NE(now, before);
        }
        before = now;
      }
    }
    EXPECT_NEAR(flipped, 200, *kind == 'a' ? 0 : 35) << kind;
  }
}

TEST(Augmented, EvaluationSeesTheMiddleOfPatchedImages) {
  const auto images = SmallSet();
  const auto augmented = Augmented(*images, Options("patch:4,flip"));
  EXPECT_EQ(augmented->image_shape(), (Shape3{3, 4, 4}));
  std::vector<uint8_t> whole(192);
  std::vector<uint8_t> middle(48);
  images->Read(3, whole);
  augmented->Read(3, middle);
  EXPECT_EQ(middle[0], whole[2 * 8 + 2]);
  EXPECT_EQ(middle[47], whole[128 + 5 * 8 + 5]);
  ExpectError([&] { Augmented(*images, Options("patch:9")); },
              {"patch: side 9", "8 × 8"});
}

TEST(Augmented, MixedLabelsAreTheSharesOfTheImages) {
  const auto images = SmallSet();
  for (const char* kind : {"mixup:1", "cutmix"}) {
    const auto augmented = Augmented(*images, Options(kind));
    std::set<float> shares;
    for (int64_t i = 0; i < 20; ++i) {
      std::vector<uint8_t> seen(192);
      std::vector<uint8_t> plain(192);
      std::vector<float> labels(6, 9.0F);
      images->Read(i, plain);
      augmented->ReadForTraining(i, 0, seen, labels);
      EXPECT_EQ(std::accumulate(labels.begin(), labels.end(), 0.0F), 1.0F);
      EXPECT_EQ(labels[4] + labels[5], 0.0F);
      shares.insert(labels[static_cast<size_t>(images->label(i))]);
      if (*kind != 'c') continue;
      int64_t same = 0;
      for (size_t j = 0; j < 192; ++j) same += seen[j] == plain[j];
      // The rest is another image's, except where both happen to be equal.
      EXPECT_GE(static_cast<float>(same) / 192.0F + 1e-6F,
                labels[static_cast<size_t>(images->label(i))] == 1.0F
                    ? 0.0F
                    : labels[static_cast<size_t>(images->label(i))]);
    }
    EXPECT_GT(shares.size(), 5U) << kind;
  }
}

TEST(TenCrops, AreCornersMiddleAndMirrored) {
  ImageBlock block{"one", {1, 3, 3}, {}, {0, 1}, {"a", "b"}};
  for (int i = 0; i < 18; ++i) block.pixels.push_back(static_cast<uint8_t>(i));
  const auto images = MakeDataset(std::move(block));
  const auto views = TenCrops(*images, 2);
  ASSERT_EQ(views->size(), 20);
  const auto view = [&](int64_t index) {
    std::vector<uint8_t> pixels(4);
    views->Read(index, pixels);
    return pixels;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(view(0), ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(view(1), ElementsAre(1, 2, 4, 5));
  EXPECT_THAT(view(2), ElementsAre(3, 4, 6, 7));
  EXPECT_THAT(view(3), ElementsAre(4, 5, 7, 8));
  EXPECT_THAT(view(4), ElementsAre(0, 1, 3, 4));  // round(0.5) is 0
  EXPECT_THAT(view(6), ElementsAre(2, 1, 5, 4));
  EXPECT_THAT(view(13), ElementsAre(13, 14, 16, 17));
  EXPECT_EQ(views->label(19), 1);
  ExpectError([&] { TenCrops(*images, 4); }, {"squares of 4", "3 × 3"});
}

}  // namespace
}  // namespace alexnet
