// SPDX-License-Identifier: MIT
// .pth in both layouts, and whatever else OpenWeights recognises.
#include <vector>

#include "alexnet/error.h"
#include "alexnet/weights.h"
#include "fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const alexnet::MemoryFile memory(data, size);
  try {
    const auto file = alexnet::OpenWeights(memory.path());
    for (size_t i = 0; i < file->tensors().size(); ++i) {
      std::vector<float> values(
          static_cast<size_t>(file->tensors()[i].elements()));
      file->Read(i, values);
    }
  } catch (const alexnet::Error&) {
  }
  return 0;
}
