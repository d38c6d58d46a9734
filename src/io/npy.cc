// SPDX-License-Identifier: MIT
#include "io/npy.h"

#include <string>

#include "alexnet/error.h"
#include "io/bytes.h"

namespace alexnet {

NpyWriter::NpyWriter(const std::filesystem::path& path, int64_t rows,
                     int64_t columns)
    : file_(path), columns_(columns), left_(rows * columns) {
  ALEXNET_CHECK(rows >= 0 && columns > 0);
  std::string header =
      Concat("{'descr': '<f4', 'fortran_order': False, 'shape': (", rows, ", ",
             columns, "), }");
  // Magic, version 1.0 and the length take 10 bytes; the data then begins at a
  // multiple of 64, after a line feed.
  constexpr size_t kFront = 10;
  header.resize((kFront + header.size() + 1 + 63) / 64 * 64 - kFront - 1, ' ');
  header += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += {'\1', '\0'};
  AppendLittle(bytes, static_cast<uint16_t>(header.size()));
  file_.Write(bytes + header);
}

void NpyWriter::Write(std::span<const float> values) {
  const auto count = static_cast<int64_t>(values.size());
  ALEXNET_CHECK(count <= left_ && count % columns_ == 0);
  file_.Write(std::as_bytes(values));
  left_ -= count;
}

void NpyWriter::Commit() {
  ALEXNET_CHECK(left_ == 0);
  file_.Commit();
}

}  // namespace alexnet
