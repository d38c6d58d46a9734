// SPDX-License-Identifier: MIT
#include "alexnet/error.h"
#include "io/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::string_view kGlobals[] = {"collections.OrderedDict",
                                           "torch._utils._rebuild_tensor_v2",
                                           "torch.FloatStorage"};
  try {
    const alexnet::Pickle pickle(
        std::as_bytes(std::span(data, size)),
        {.file_name = "fuzz", .globals = kGlobals, .refusal_hint = ""});
    pickle.root().Find("a");
  } catch (const alexnet::Error&) {
  }
  return 0;
}
