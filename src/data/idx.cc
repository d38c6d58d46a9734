// SPDX-License-Identifier: MIT
#include "data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "alexnet/error.h"
#include "data/image_block.h"

namespace alexnet {
namespace {

namespace fs = std::filesystem;

// Far more than the real sets have; checked before memory is taken.
constexpr int64_t kMaxImages = 1'000'000;
constexpr int64_t kMaxSide = 256;
constexpr int64_t kClasses = 10;
constexpr uint32_t kImageMagic = 0x00000803;  // bytes, three dimensions
constexpr uint32_t kLabelMagic = 0x00000801;  // bytes, one

// Reads a file whether it is compressed or not.
class GzFile {
 public:
  explicit GzFile(const fs::path& path)
      : name_(path.string()), file_(gzopen(path.c_str(), "rb"), gzclose) {
    if (!file_) {
      throw Error(Concat(name_, ": cannot be opened: ", std::strerror(errno)));
    }
  }

  void Read(std::span<uint8_t> bytes, const char* what) {
    while (!bytes.empty()) {
      const auto now =
          static_cast<unsigned>(std::min(bytes.size(), size_t{1} << 26));
      const int count = gzread(file_.get(), bytes.data(), now);
      int code = Z_OK;
      const char* reason = gzerror(file_.get(), &code);
      if (count < 0 || (code != Z_OK && code != Z_BUF_ERROR)) {
        throw Error(Concat(name_, ": damaged: ", reason));
      }
      if (count == 0) {
        throw Error(Concat(name_, ": ends in the middle of the ", what));
      }
      bytes = bytes.subspan(static_cast<size_t>(count));
    }
  }

  uint32_t Number(const char* what) {
    std::array<uint8_t, 4> bytes;
    Read(bytes, what);
    return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
           uint32_t{bytes[2]} << 8 | bytes[3];
  }

  int64_t Size(const char* what, int64_t most) {
    const int64_t size = Number("header");
    if (size < 1 || size > most) {
      throw Error(
          Concat(name_, ": ", size, " ", what, ", expected 1 to ", most));
    }
    return size;
  }

  void ExpectMagic(uint32_t magic) {
    const uint32_t found = Number("header");
    if (found != magic) {
      throw Error(Concat(name_, ": begins with ", found, ", expected ", magic,
                         " as idx files of this kind do"));
    }
  }

  void ExpectEnd() {
    uint8_t more = 0;
    if (gzread(file_.get(), &more, 1) != 0) {
      throw Error(name_ + ": goes on after its last entry");
    }
  }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::unique_ptr<gzFile_s, decltype(&gzclose)> file_;
};

fs::path Find(const fs::path& dir, const std::string& set,
              const std::string& file) {
  const char* folder = set == "mnist" ? "MNIST" : "FashionMNIST";
  std::error_code ignored;
  for (const fs::path& place : {dir, dir / set, dir / folder / "raw"}) {
    for (const char* ending : {"", ".gz"}) {
      const fs::path path = place / (file + ending);
      if (fs::is_regular_file(path, ignored)) return path;
    }
  }
  throw Error(Concat(dir.string(), ": no ", set, " here, expected ", file,
                     " or ", file, ".gz"));
}

std::vector<std::string> ClassNames(const std::string& set) {
  if (set == "mnist") {
    return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  }
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
          "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
}

void ReadLabels(GzFile& file, ImageBlock& block) {
  file.ExpectMagic(kLabelMagic);
  std::vector<uint8_t> labels(
      static_cast<size_t>(file.Size("labels", kMaxImages)));
  file.Read(labels, "labels");
  file.ExpectEnd();
  for (const uint8_t label : labels) {
    if (label >= kClasses) {
      throw Error(Concat(file.name(), ": label ", block.labels.size(), " is ",
                         int{label}, ", expected 0 to ", kClasses - 1));
    }
    block.labels.push_back(label);
  }
}

void ReadImages(GzFile& file, int64_t channels, ImageBlock& block) {
  file.ExpectMagic(kImageMagic);
  const int64_t images = file.Size("images", kMaxImages);
  if (images != std::ssize(block.labels)) {
    throw Error(Concat(file.name(), ": ", images, " images, but there are ",
                       block.labels.size(), " labels"));
  }
  block.shape.channels = channels;
  block.shape.height = file.Size("rows", kMaxSide);
  block.shape.width = file.Size("columns", kMaxSide);
  std::vector<uint8_t> image(
      static_cast<size_t>(block.shape.height * block.shape.width));
  for (int64_t i = 0; i < images; ++i) {
    file.Read(image, "images");
    for (int64_t c = 0; c < channels; ++c) {
      block.pixels.insert(block.pixels.end(), image.begin(), image.end());
    }
  }
  file.ExpectEnd();
}

}  // namespace

std::unique_ptr<Dataset> LoadMnist(const fs::path& dir, const std::string& name,
                                   Split split, int64_t channels) {
  const std::string prefix = split == Split::kTrain ? "train" : "t10k";
  ImageBlock block{name + (split == Split::kTrain ? "-train" : "-test"),
                   {},
                   {},
                   {},
                   ClassNames(name)};
  GzFile labels(Find(dir, name, prefix + "-labels-idx1-ubyte"));
  ReadLabels(labels, block);
  GzFile images(Find(dir, name, prefix + "-images-idx3-ubyte"));
  ReadImages(images, channels, block);
  return MakeDataset(std::move(block));
}

}  // namespace alexnet
