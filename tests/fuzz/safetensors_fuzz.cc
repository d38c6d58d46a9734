// SPDX-License-Identifier: MIT
#include <vector>

#include "alexnet/error.h"
#include "fuzz_input.h"
#include "io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const alexnet::MemoryFile memory(data, size);
  try {
    const alexnet::SafetensorsFile file(memory.path());
    for (size_t i = 0; i < file.tensors().size(); ++i) {
      std::vector<float> values(
          static_cast<size_t>(file.tensors()[i].elements()));
      file.Read(i, values);
    }
  } catch (const alexnet::Error&) {
  }
  return 0;
}
