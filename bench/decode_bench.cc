// SPDX-License-Identifier: MIT
// How many JPEG files a second one core decodes and turns into random parts of
// 227 × 227: decode_bench FOLDER [SECONDS] [--boxes]. The boxes are those of
// seed 0, epoch 0, 1, …; with --boxes they are printed instead, for
// decode_peer.py, which does the same with Pillow and torchvision and must
// find the same pixels (the checksum after the rate).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "data/augment.h"
#include "data/augment_spec.h"
#include "image/picture_dataset.h"

namespace {

using namespace alexnet;

constexpr int64_t kSide = 227;
constexpr int64_t kBoxEpochs = 1;

PictureSet FilesIn(const std::filesystem::path& folder) {
  PictureSet set{.name = "bench",
                 .source = folder,
                 .root = folder,
                 .files = {},
                 .class_names = {"x"}};
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    set.files.push_back(LookAtFile(folder, entry.path().filename().string()));
  }
  std::ranges::sort(set.files, {}, &PictureFile::path);
  return set;
}

Box BoxFor(Size2 size, int64_t epoch, int64_t index) {
  Draws draws({.seed = 0, .epoch = epoch, .sample = index},
              static_cast<uint32_t>(AugmentKind::kResizedCrop));
  return ResizedCropBox(size, {0.08, 1}, draws);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: decode_bench FOLDER [SECONDS] [--boxes]\n");
    return 2;
  }
  const bool boxes = std::strcmp(argv[argc - 1], "--boxes") == 0;
  const double seconds = argc > 2 && !boxes ? std::atof(argv[2]) : 3;
  const PictureSet set = FilesIn(argv[1]);
  const auto images = PicturesAsDataset(set, {.size = {kSide, kSide}});
  std::vector<uint8_t> pixels(3 * kSide * kSide);
  uint64_t sum = 0;
  int64_t done = 0;
  double elapsed = 0;
  // Of the processor, so that what else the machine does counts little.
  const std::clock_t start = std::clock();
  for (int64_t epoch = 0; elapsed < seconds || epoch < kBoxEpochs; ++epoch) {
    if (boxes && epoch == kBoxEpochs) break;
    for (int64_t i = 0; i < images->size(); ++i, ++done) {
      images->ReadPart(
          i,
          [&](Size2 size) {
            const Box box = BoxFor(size, epoch, i);
            if (boxes) {
              std::printf(
                  "%s %ld %ld %ld %ld\n",
                  set.files[static_cast<size_t>(i)].path.c_str(),
                  static_cast<long>(box.left), static_cast<long>(box.top),
                  static_cast<long>(box.width), static_cast<long>(box.height));
            }
            return box;
          },
          pixels);
      if (epoch > 0) continue;
      for (const uint8_t pixel : pixels) sum += pixel;
    }
    elapsed = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  }
  if (!boxes) {
    std::printf("%.1f images/s a core, checksum %lu\n",
                static_cast<double>(done) / elapsed,
                static_cast<unsigned long>(sum));
  }
  return 0;
}
