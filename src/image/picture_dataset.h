// SPDX-License-Identifier: MIT
// Pictures on the disk as a data set. They are decoded when they are read, by
// whatever thread reads them, and never all in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "alexnet/dataset.h"
#include "image/image_file.h"

namespace alexnet {

struct PictureFile {
  std::string path;  // below the set's root, or absolute
  int32_t label = 0;
  int64_t offset = 0;  // of the picture in the file
  int64_t bytes = 0;
  bool whole_file = true;   // else a part of it, as in an archive
  int64_t modified_ns = 0;  // since the epoch
};

// What was found on the disk; nothing is decoded yet.
struct PictureSet {
  std::string name;                   // first part of the fingerprint
  std::filesystem::path source = {};  // the folder, list or archive
  std::filesystem::path root;
  std::vector<PictureFile> files;
  std::vector<std::string> class_names;
};

struct PictureOptions {
  Size2 size = {227, 227};  // of the images
  // 0: the whole picture is resized to `size`, as Resize([h, w]) does. Else
  // its shorter edge is resized to this, as Resize(edge) does, and of the
  // result the middle is taken, as by CenterCrop. At least as large as `size`.
  int64_t shorter_edge = 0;
  int64_t max_pixels = kMaxPixels;
  bool dct_scaling = false;  // for ReadPart: DecodeOptions::shrink_to
};

// Throws Error when a picture is read that cannot be, naming its file.
std::unique_ptr<Dataset> PicturesAsDataset(PictureSet set,
                                           const PictureOptions& options);

// As torchvision's ImageFolder: each folder in `root` is a class, in the order
// of their names' bytes; its pictures are all files below it, by name, whose
// name ends as one of its list (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff
// .webp). Error for a class without pictures.
PictureSet ScanPictureFolder(const std::filesystem::path& root,
                             const std::string& name);

// The classes of such a folder alone, without a look at the pictures.
std::vector<std::string> PictureClasses(const std::filesystem::path& root);

// A text file of lines "path label"; paths are relative to its folder. Labels
// are numbers from 0, named in `classes.txt` beside it if that is there, or
// words: then the classes are these words, sorted, or those of
// `known_classes`, if it is not empty.
PictureSet ReadPictureList(const std::filesystem::path& file,
                           const std::string& name,
                           const std::vector<std::string>& known_classes);

// ImageNet's training archive: a tar of tars, one a class (n01440764.tar),
// whose pictures are read where they lie. Classes in the order of their names.
PictureSet ScanTarOfTars(const std::filesystem::path& file,
                         const std::string& name);

// An archive of pictures whose labels stand in a list ("name label" a line,
// label a class name or its number).
PictureSet ScanTarWithList(const std::filesystem::path& file,
                           const std::filesystem::path& list,
                           const std::string& name,
                           const std::vector<std::string>& classes);

// Size and time of a file; Error if it is not one.
PictureFile LookAtFile(const std::filesystem::path& root,
                       const std::string& path);

}  // namespace alexnet
