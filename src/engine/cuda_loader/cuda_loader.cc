// SPDX-License-Identifier: MIT
// Loads the CUDA engine, which is a library of its own, when a GPU is asked
// for: one program serves machines with and without CUDA.
#include <dlfcn.h>

#include <cstdlib>
#include <system_error>

#include "engine/cuda_library.h"
#include "engine/factories.h"

namespace alexnet {
namespace {

namespace fs = std::filesystem;

std::string LastDlError() {
  const char* text = dlerror();
  return text ? text : "unknown reason";
}

bool Exists(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

OpenedCudaLibrary Checked(void* handle, const fs::path& file) {
  void* symbol = dlsym(handle, kCudaLibraryFunction);
  if (!symbol) {
    return {nullptr, Concat(file.string(),
                            " is not alexnet's CUDA library: ", LastDlError())};
  }
  const CudaLibrary* library = reinterpret_cast<CudaLibraryFunction*>(symbol)();
  const std::string wanted = CudaLibraryAbi(ALEXNET_VERSION);
  if (library->abi != wanted) {
    return {nullptr,
            Concat(file.string(), " belongs to another build: it is for '",
                   library->abi, "', this program is '", wanted, "'")};
  }
  return {library, ""};
}

// The driver's own library: where it is missing, ours need not be loaded, with
// cuDNN and cuBLAS some 150 MB of memory.
bool HasDriver() {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver) dlclose(driver);
  return driver != nullptr;
}

OpenedCudaLibrary OpenOnce() {
  if (!HasDriver()) return {nullptr, "there is no NVIDIA driver here"};
  OpenedCudaLibrary opened = OpenCudaLibrary(CudaLibraryFiles());
  if (opened.library) opened.problem = opened.library->problem();
  return opened;
}

// Opened at the first question and never closed: engines live in it.
const OpenedCudaLibrary& Opened() {
  static const OpenedCudaLibrary opened = OpenOnce();
  return opened;
}

}  // namespace

std::vector<fs::path> CudaLibraryFiles() {
  const char* named = std::getenv("ALEXNET_CUDA_LIBRARY");
  if (named && *named) return {fs::absolute(named)};
  std::vector<fs::path> files;
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  if (!failed) {
    const fs::path folder = program.parent_path();
    files.push_back(folder / kCudaLibraryFile);
    files.push_back(folder.parent_path() / "lib" / kCudaLibraryFile);
  }
  files.push_back(fs::path(ALEXNET_LIBDIR) / kCudaLibraryFile);
  files.push_back(kCudaLibraryFile);
  return files;
}

OpenedCudaLibrary OpenCudaLibrary(const std::vector<fs::path>& files) {
  std::string looked;
  for (const fs::path& file : files) {
    const bool searched = !file.has_parent_path();
    looked += Concat(looked.empty() ? "" : ", ", file.string());
    if (!searched && !Exists(file)) continue;
    // All symbols now: what is missing is said here, not in the middle.
    if (void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      return Checked(handle, file);
    }
    const std::string reason = LastDlError();
    // The system's search found nothing: that is no news beyond the list.
    if (searched && reason.starts_with(Concat(file.string(), ": cannot open")))
      continue;
    return {nullptr, Concat("the CUDA engine cannot be loaded: ", reason)};
  }
  return {nullptr, Concat("there is no CUDA engine (looked for ", looked,
                          "); a build with nvcc and cuDNN makes it")};
}

std::string CudaProblem() { return Opened().problem; }

bool HasCudaEngine() { return Opened().problem.empty(); }

std::unique_ptr<Engine> MakeCudaEngine(const EngineSpec& spec) {
  if (!HasCudaEngine()) {
    throw Error(
        Concat("no GPU can be used: ", CudaProblem(), "; use --device cpu"));
  }
  return Opened().library->make(spec);
}

}  // namespace alexnet
