// SPDX-License-Identifier: MIT
// Small CIFAR-10 files for tests: image i of file f has label (i + f) % 10
// and pixel p has the value (31 i + 7 f + p) % 251.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/temp_dir.h"

namespace alexnet::testing {

inline uint8_t CifarLabel(int file, int image) {
  return static_cast<uint8_t>((image + file) % 10);
}

inline uint8_t CifarPixel(int file, int image, int pixel) {
  return static_cast<uint8_t>((31 * image + 7 * file + pixel) % 251);
}

inline std::string CifarRecords(int file, int images) {
  std::string bytes;
  for (int i = 0; i < images; ++i) {
    bytes += static_cast<char>(CifarLabel(file, i));
    for (int p = 0; p < 3072; ++p) {
      bytes += static_cast<char>(CifarPixel(file, i, p));
    }
  }
  return bytes;
}

inline constexpr char kCifarNames[] =
    "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

// Files 1 to 5 have 1 to 5 images; file 0, for testing, has 3.
inline int CifarImages(int file) { return file == 0 ? 3 : file; }

inline std::string CifarBatchName(int file) {
  return file == 0 ? "test_batch" : "data_batch_" + std::to_string(file);
}

inline void WriteCifarBinary(const TempDir& dir) {
  for (int file = 0; file <= 5; ++file) {
    dir.Write("cifar-10-batches-bin/" + CifarBatchName(file) + ".bin",
              CifarRecords(file, CifarImages(file)));
  }
  dir.Write("cifar-10-batches-bin/batches.meta.txt", kCifarNames);
}

}  // namespace alexnet::testing
