// SPDX-License-Identifier: MIT
// torchvision's ImageFolder.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "alexnet/error.h"
#include "image/picture_dataset.h"

namespace alexnet {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 9> kEndings = {
    ".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"};
// Deeper than any real set: a link to a folder above itself.
constexpr int kMaxDepth = 32;

bool IsPicture(std::string name) {
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return std::ranges::any_of(kEndings, [&](std::string_view ending) {
    return name.ends_with(ending);
  });
}

struct Names {
  std::vector<std::string> folders;
  std::vector<std::string> files;
};

Names ListFolder(const fs::path& folder) {
  Names names;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    std::error_code ignored;
    const std::string name = at->path().filename().string();
    if (at->is_directory(ignored)) {
      names.folders.push_back(name);
    } else if (IsPicture(name)) {
      names.files.push_back(name);
    }
  }
  if (error) throw Error(Concat(folder.string(), ": ", error.message()));
  std::ranges::sort(names.folders);
  std::ranges::sort(names.files);
  return names;
}

// Paths below `root`, of the folder itself and of all folders below it, in the
// order of the folders' paths, as sorted(os.walk(…)) has them.
struct Walk {
  const fs::path& root;
  std::vector<std::pair<std::string, std::vector<std::string>>> folders;

  void Add(const std::string& folder, int depth) {
    if (depth > kMaxDepth) {
      throw Error(Concat((root / folder).string(), ": more than ", kMaxDepth,
                         " folders deep; is one a link to itself?"));
    }
    Names names = ListFolder(root / folder);
    folders.emplace_back(folder, std::move(names.files));
    for (const std::string& name : names.folders) {
      Add(folder + "/" + name, depth + 1);
    }
  }
};

}  // namespace

PictureFile LookAtFile(const fs::path& root, const std::string& path) {
  const fs::path whole = root / path;
  struct stat info {};
  if (::stat(whole.c_str(), &info) != 0) {
    throw Error(Concat(whole.string(), ": ", std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) {
    throw Error(Concat(whole.string(), ": expected a file"));
  }
  PictureFile file;
  file.path = path;
  file.bytes = info.st_size;
  file.modified_ns =
      info.st_mtim.tv_sec * int64_t{1'000'000'000} + info.st_mtim.tv_nsec;
  return file;
}

std::vector<std::string> PictureClasses(const fs::path& root) {
  std::vector<std::string> classes = ListFolder(root).folders;
  if (classes.empty()) {
    throw Error(Concat(root.string(),
                       ": no folders in it; expected one for each class, with "
                       "its pictures inside"));
  }
  return classes;
}

PictureSet ScanPictureFolder(const fs::path& root, const std::string& name) {
  PictureSet set{.name = name,
                 .source = root,
                 .root = root,
                 .files = {},
                 .class_names = PictureClasses(root)};
  for (size_t label = 0; label < set.class_names.size(); ++label) {
    const std::string& class_name = set.class_names[label];
    const size_t before = set.files.size();
    Walk walk{root, {}};
    walk.Add(class_name, /*depth=*/0);
    std::ranges::sort(walk.folders);
    for (const auto& [folder, files] : walk.folders) {
      for (const std::string& file : files) {
        set.files.push_back(LookAtFile(root, folder + "/" + file));
        set.files.back().label = static_cast<int32_t>(label);
      }
    }
    if (set.files.size() == before) {
      throw Error(Concat((root / class_name).string(),
                         ": no pictures in this class; expected names ending "
                         "in .jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff "
                         "or .webp"));
    }
  }
  return set;
}

}  // namespace alexnet
