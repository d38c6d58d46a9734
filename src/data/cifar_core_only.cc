// SPDX-License-Identifier: MIT
// Stands in for the readers that need libraries.
#include "alexnet/error.h"
#include "data/cifar.h"

namespace alexnet {
namespace {

[[noreturn]] void Refuse(const std::filesystem::path& path) {
  throw Error(Concat(path.string(),
                     ": this build has no reader for it; expected "
                     "cifar-10-batches-bin/ beside it"));
}

}  // namespace

std::unique_ptr<Dataset> ReadCifarPython(const std::filesystem::path& folder,
                                         Split) {
  Refuse(folder);
}

std::unique_ptr<Dataset> ReadCifarArchive(const std::filesystem::path& file,
                                          Split) {
  Refuse(file);
}

std::unique_ptr<Dataset> LoadCifar100(const std::filesystem::path& dir, Split) {
  throw Error(dir.string() + ": this build has no reader of CIFAR-100");
}

}  // namespace alexnet
