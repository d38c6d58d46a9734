// SPDX-License-Identifier: MIT
// What the pickle of a .pth says: which tensors there are, and how each lies
// in which storage. The same for both layouts of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alexnet/weights.h"
#include "io/float_types.h"

namespace alexnet {

struct TorchStorage {
  std::string key;
  std::string type;  // "torch.FloatStorage"
  uint64_t element_size = 0;
  uint64_t elements = 0;
  std::optional<FloatType> float_type;  // none: integers
  uint64_t bytes() const { return elements * element_size; }
};

// Checked to lie inside its storage, which has float_type.
struct TorchTensor {
  size_t storage = 0;
  uint64_t offset = 0;  // elements
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  uint64_t elements = 0;
  bool contiguous() const;
};

struct TorchState {
  std::vector<TorchStorage> storages;  // all that the pickle names
  std::vector<TensorInfo> infos;       // of the state_dict, in its order
  std::vector<TorchTensor> tensors;    // as infos
  size_t consumed = 0;                 // bytes of the pickle
};

// Reads the pickle at the front of `bytes`, finds the state_dict in it, and
// takes common wrappers and prefixes off.
TorchState ParseTorchState(std::span<const std::byte> bytes,
                           const std::string& file_name);

// Converts a tensor out of the bytes of its storage.
void GatherTensor(const TorchTensor& tensor, const TorchStorage& storage,
                  std::span<const std::byte> bytes, std::span<float> values);

}  // namespace alexnet
