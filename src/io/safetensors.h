// SPDX-License-Identifier: MIT
// safetensors files: reading with every rule of the format checked, and
// writing with a CRC-32 of the header and of every tensor in __metadata__,
// which other readers ignore.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "alexnet/weights.h"
#include "io/float_types.h"
#include "io/input_file.h"

namespace alexnet {

using StringMap = std::map<std::string, std::string>;

// An open file, its header checked (with its checksum where there is one);
// tensors in the order of their bytes. Read throws Error naming file and
// tensor where the tensor's checksum does not match. Reading from several
// threads is fine.
class SafetensorsFile : public TensorSource {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void Read(size_t index, std::span<float> values) const override;

  // __metadata__, less the checksums.
  const StringMap& metadata() const { return metadata_; }
  bool has_checksums() const { return has_checksums_; }

 private:
  struct Location {
    FloatType type;
    uint64_t offset;       // in the file
    std::string checksum;  // hexadecimal, empty: none
  };

  InputFile file_;
  std::vector<TensorInfo> tensors_;
  std::vector<Location> locations_;  // as tensors_
  StringMap metadata_;
  bool has_checksums_ = false;
};

// Writes all tensors as F32 in their order, one in memory at a time; the file
// appears whole or not at all (AtomicFile). "format": "pt" is added to the
// metadata; keys that begin with "alexnet.crc32" are reserved. Throws Error
// where two tensors share a name.
void WriteSafetensors(const std::filesystem::path& path,
                      const TensorSource& tensors, const StringMap& metadata);

}  // namespace alexnet
