// SPDX-License-Identifier: MIT
#include "data/image_cache.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "alexnet/error.h"
#include "data/fingerprint.h"
#include "data/sound_images.h"
#include "io/atomic_file.h"
#include "io/input_file.h"

namespace alexnet {
namespace {

constexpr std::array<char, 8> kMagic = {'A', 'L', 'X', 'I', 'M', 'G', 'S', '1'};
constexpr int64_t kImagesAtOnce = 256;

struct Header {
  std::array<char, 8> magic = kMagic;
  int64_t count = 0;
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  uint64_t key = 0;       // hash of the source's cache_key()
  uint64_t checksum = 0;  // of the checksums of the images
  uint64_t own = 0;       // of what stands above
};
static_assert(sizeof(Header) == 64);

uint64_t OwnChecksum(const Header& header) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  return HashBytes(bytes.first(offsetof(Header, own)), /*seed=*/0);
}

Header HeaderFor(const Dataset& dataset) {
  const Shape3 shape = dataset.image_shape();
  Header header;
  header.count = dataset.size();
  header.channels = shape.channels;
  header.height = shape.height;
  header.width = shape.width;
  const std::string key = dataset.cache_key();
  header.key = HashBytes(std::as_bytes(std::span(key)), /*seed=*/0);
  return header;
}

void Build(const Dataset& dataset, const std::filesystem::path& path,
           int64_t threads) {
  std::filesystem::create_directories(path.parent_path());
  Header header = HeaderFor(dataset);
  const auto bytes = static_cast<size_t>(dataset.image_shape().elements());
  std::vector<uint64_t> checksums(static_cast<size_t>(header.count));
  const auto table = std::as_bytes(std::span(checksums));
  AtomicFile file(path);
  file.Write(std::as_bytes(std::span(&header, 1)));
  file.Write(table);
  std::vector<uint8_t> pixels(bytes * size_t{kImagesAtOnce});
  for (int64_t first = 0; first < header.count; first += kImagesAtOnce) {
    const int64_t now = std::min(kImagesAtOnce, header.count - first);
    ForEachInParallel(now, threads, [&](int64_t i) {
      const auto image =
          std::span(pixels).subspan(static_cast<size_t>(i) * bytes, bytes);
      dataset.Read(first + i, image);
      checksums[static_cast<size_t>(first + i)] =
          HashBytes(std::as_bytes(image), /*seed=*/0);
    });
    file.Write(std::as_bytes(
        std::span(pixels).first(static_cast<size_t>(now) * bytes)));
  }
  header.checksum = HashBytes(table, /*seed=*/0);
  header.own = OwnChecksum(header);
  file.WriteAt(0, std::as_bytes(std::span(&header, 1)));
  file.WriteAt(sizeof header, table);
  file.Commit();
}

class CachedDataset : public Dataset {
 public:
  CachedDataset(std::unique_ptr<Dataset> dataset,
                const std::filesystem::path& path)
      : source_(std::move(dataset)),
        file_(path),
        checksums_(static_cast<size_t>(source_->size())) {}

  // Reads the table. True if the file is whole and of these images.
  bool Fits() {
    const Header expected = HeaderFor(*source_);
    Header found;
    if (file_.size() < sizeof found) return false;
    file_.ReadAt(0, std::as_writable_bytes(std::span(&found, 1)));
    const auto count = static_cast<uint64_t>(expected.count);
    const auto bytes = static_cast<uint64_t>(image_shape().elements());
    const bool same =
        found.magic == kMagic && found.own == OwnChecksum(found) &&
        found.count == expected.count && found.channels == expected.channels &&
        found.height == expected.height && found.width == expected.width &&
        found.key == expected.key &&
        file_.size() == sizeof found + count * (8 + bytes);
    if (!same) return false;
    file_.ReadAt(sizeof found, std::as_writable_bytes(std::span(checksums_)));
    return found.checksum ==
           HashBytes(std::as_bytes(std::span(checksums_)), /*seed=*/0);
  }

  std::unique_ptr<Dataset> TakeSource() { return std::move(source_); }

  int64_t size() const override { return source_->size(); }
  Shape3 image_shape() const override { return source_->image_shape(); }
  const std::vector<std::string>& class_names() const override {
    return source_->class_names();
  }
  int32_t label(int64_t index) const override { return source_->label(index); }
  int64_t sample_id(int64_t index) const override {
    return source_->sample_id(index);
  }
  std::string fingerprint() const override { return source_->fingerprint(); }
  std::string cache_key() const override { return source_->cache_key(); }
  bool slow_to_read() const override { return true; }

  // A part is of the picture as it lies on the disk, with or without a cache.
  void ReadPart(int64_t index, const ChooseBox& choose,
                std::span<uint8_t> pixels) const override {
    source_->ReadPart(index, choose, pixels);
  }

  void Read(int64_t index, std::span<uint8_t> pixels) const override {
    ALEXNET_CHECK(index >= 0 && index < size());
    const auto i = static_cast<size_t>(index);
    const size_t first = sizeof(Header) + 8 * checksums_.size();
    file_.ReadAt(first + i * pixels.size(), std::as_writable_bytes(pixels));
    if (HashBytes(std::as_bytes(pixels), /*seed=*/0) != checksums_[i]) {
      throw Error(Concat(file_.name(), ": image ", index,
                         " is damaged; remove the file, and it will be made "
                         "anew"));
    }
  }

 private:
  std::unique_ptr<Dataset> source_;
  InputFile file_;
  std::vector<uint64_t> checksums_;
};

bool IsUsable(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored) &&
         std::filesystem::file_size(file, ignored) >= sizeof(Header);
}

}  // namespace

std::unique_ptr<Dataset> Cached(
    std::unique_ptr<Dataset> dataset, const std::filesystem::path& file,
    int64_t threads, const std::function<void(const std::string&)>& say) {
  if (IsUsable(file)) {
    auto cached = std::make_unique<CachedDataset>(std::move(dataset), file);
    if (cached->Fits()) return cached;
    dataset = cached->TakeSource();
  }
  if (say)
    say(Concat("decoding ", dataset->size(), " images to ", file.string()));
  Build(*dataset, file, threads);
  auto cached = std::make_unique<CachedDataset>(std::move(dataset), file);
  if (cached->Fits()) return cached;
  throw Error(Concat(file.string(), ": is not as it was just written"));
}

}  // namespace alexnet
