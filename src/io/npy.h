// SPDX-License-Identifier: MIT
// NumPy's .npy files, as far as the program writes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "io/atomic_file.h"

namespace alexnet {

// A float32 matrix of rows × columns in C order. The file appears, whole, with
// Commit; without it, not at all.
class NpyWriter {
 public:
  NpyWriter(const std::filesystem::path& path, int64_t rows, int64_t columns);

  // Whole rows, as many as there are values for.
  void Write(std::span<const float> values);
  // Throws std::logic_error unless all rows were written.
  void Commit();

 private:
  AtomicFile file_;
  int64_t columns_;
  int64_t left_;  // values still to come
};

}  // namespace alexnet
