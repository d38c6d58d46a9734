// SPDX-License-Identifier: MIT
// CIFAR-100 in its official layouts: two files, each with a coarse and a fine
// label an image; the fine ones are the classes.
#include <algorithm>
#include <map>

#include "alexnet/error.h"
#include "data/cifar.h"
#include "data/tar_gz.h"
#include "io/input_file.h"

namespace alexnet {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kClasses = 100;
constexpr int64_t kRecord = 2 + kCifarPixels;  // coarse, fine, pixels
constexpr int64_t kMaxFileBytes = kCifarMaxImagesPerFile * (kRecord + 128);
constexpr CifarPickleKeys kKeys = {.data_set = "CIFAR-100",
                                   .labels = "fine_labels",
                                   .names = "fine_label_names",
                                   .classes = kClasses};

// A layout, unpacked or as an archive with the same folder inside.
struct Layout {
  std::string folder;
  std::string archive;
  std::string names;
  std::string suffix;  // of train and test
  bool binary;

  std::string Images(Split split) const {
    return (split == Split::kTrain ? "train" : "test") + suffix;
  }
};

const Layout kLayouts[] = {
    {"cifar-100-binary", "cifar-100-binary.tar.gz", "fine_label_names.txt",
     ".bin", /*binary=*/true},
    {"cifar-100-python", "cifar-100-python.tar.gz", "meta", "",
     /*binary=*/false},
};

struct Files {
  Bytes images;
  Bytes names;
  std::string images_name;  // for messages
  std::string names_name;
};

Bytes ReadFile(const fs::path& path) {
  const InputFile file(path);
  if (file.size() > static_cast<uint64_t>(kMaxFileBytes)) {
    throw Error(Concat(file.name(), ": size is ", file.size(),
                       " bytes, expected at most ", kMaxFileBytes));
  }
  Bytes bytes(file.size());
  file.ReadAt(0, bytes);
  return bytes;
}

Files ReadFolder(const fs::path& folder, const Layout& layout, Split split) {
  const fs::path images = folder / layout.Images(split);
  const fs::path names = folder / layout.names;
  return {ReadFile(images), ReadFile(names), images.string(), names.string()};
}

Files ReadArchive(const fs::path& path, const Layout& layout, Split split) {
  const std::string images = layout.folder + "/" + layout.Images(split);
  const std::string names = layout.folder + "/" + layout.names;
  TarGz archive(path);
  std::map<std::string, Bytes> found;
  // The official archives hold five files at most; another one need not end.
  constexpr int kMostEntries = 20;
  int entries = 0;
  while (archive_entry* entry = archive.NextEntry()) {
    const std::string name = TarGz::NameOf(entry);
    if (++entries > kMostEntries) {
      throw Error(archive.name() + ": holds more than CIFAR-100's files");
    }
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    const int64_t size =
        TarGz::CheckedSize(archive.name() + ": member", entry, kMaxFileBytes);
    if (name == images || name == names) {
      found[name] = archive.ReadData(name, size);
    } else {
      archive.SkipData();
    }
  }
  for (const std::string& wanted : {images, names}) {
    if (found.contains(wanted)) continue;
    throw Error(Concat(archive.name(), ": ", wanted, ": missing in it"));
  }
  return {std::move(found[images]), std::move(found[names]),
          archive.name() + ": " + images, archive.name() + ": " + names};
}

void AppendRecords(const std::string& file, const Bytes& bytes,
                   ImageBlock& block) {
  const auto size = std::ssize(bytes);
  if (size == 0 || size % kRecord != 0) {
    throw Error(Concat(file, ": size is ", size,
                       " bytes, expected a positive multiple of ", kRecord,
                       " (two labels and ", kCifarPixels, " pixels an image)"));
  }
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  for (int64_t at = 0; at < size; at += kRecord) {
    const uint8_t label = data[at + 1];
    if (label >= kClasses) {
      throw Error(Concat(file, ": byte ", at + 1, ": label is ", int{label},
                         ", expected 0 to ", kClasses - 1));
    }
    block.labels.push_back(label);
    block.pixels.insert(block.pixels.end(), data + at + 2, data + at + kRecord);
  }
}

std::unique_ptr<Dataset> Parse(const Files& files, const Layout& layout,
                               Split split) {
  ImageBlock block{split == Split::kTrain ? "cifar100-train" : "cifar100-test",
                   kCifarShape,
                   {},
                   {},
                   {}};
  if (layout.binary) {
    block.class_names = ParseCifarClassNames(
        files.names_name,
        {reinterpret_cast<const char*>(files.names.data()), files.names.size()},
        kClasses);
    AppendRecords(files.images_name, files.images, block);
  } else {
    block.class_names =
        ParseCifarPickledNames(files.names_name, files.names, kKeys);
    AppendCifarPickle(files.images_name, files.images, block, kKeys);
  }
  return MakeDataset(std::move(block));
}

}  // namespace

std::unique_ptr<Dataset> LoadCifar100(const fs::path& dir, Split split) {
  std::error_code ignored;
  for (const Layout& layout : kLayouts) {
    if (fs::is_directory(dir / layout.folder, ignored)) {
      return Parse(ReadFolder(dir / layout.folder, layout, split), layout,
                   split);
    }
  }
  for (const Layout& layout : kLayouts) {
    if (fs::is_regular_file(dir / layout.archive, ignored)) {
      return Parse(ReadArchive(dir / layout.archive, layout, split), layout,
                   split);
    }
  }
  throw Error(Concat(dir.string(),
                     ": no CIFAR-100 here, expected a folder that holds "
                     "cifar-100-binary/, cifar-100-python/, "
                     "cifar-100-binary.tar.gz or cifar-100-python.tar.gz"));
}

}  // namespace alexnet
