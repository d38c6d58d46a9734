// SPDX-License-Identifier: MIT
#include "alexnet/error.h"
#include "io/bytes.h"
#include "io/input_file.h"
#include "io/metadata_json.h"
#include "io/torch_file.h"
#include "io/torch_state.h"
#include "io/zip_archive.h"

namespace alexnet {
namespace {

constexpr uint64_t kLongestPickle = 64 << 20;
constexpr uint64_t kLongestMetadata = 4 << 20;

class TorchZip : public WeightFile {
 public:
  explicit TorchZip(const std::filesystem::path& path)
      : file_(path), zip_(file_) {
    const std::string& first = zip_.first_name();
    folder_ = first.substr(0, first.find('/') + 1);
    if (folder_.empty() || zip_.Find(folder_ + "data.pkl") == nullptr) {
      Fail("a zip archive, but not of torch.save: it has no data.pkl");
    }
    CheckVersion();
    const std::string pickle =
        zip_.ReadText(folder_ + "data.pkl", kLongestPickle);
    state_ = ParseTorchState(std::as_bytes(std::span(pickle)), file_.name());
    if (state_.consumed != pickle.size()) {
      Fail(Concat("data.pkl: expected its end at byte ", state_.consumed,
                  ", found ", pickle.size() - state_.consumed, " more"));
    }
    for (const TorchStorage& storage : state_.storages) CheckStorage(storage);
    const std::string metadata = folder_ + "alexnet.json";
    if (zip_.Find(metadata) != nullptr) {
      metadata_ = ParseModelMetadata(zip_.ReadText(metadata, kLongestMetadata),
                                     file_.name());
    }
  }

  const std::vector<TensorInfo>& tensors() const override {
    return state_.infos;
  }
  const std::optional<ModelMetadata>& metadata() const override {
    return metadata_;
  }
  std::string format() const override { return "pth"; }

  void Read(size_t index, std::span<float> values) const override {
    const TorchTensor& tensor = state_.tensors.at(index);
    const TorchStorage& storage = state_.storages[tensor.storage];
    ALEXNET_CHECK(values.size() == tensor.elements);
    const std::string name = EntryName(storage);
    // Most often the tensor is its whole storage, as it is.
    if (storage.float_type == FloatType::kFloat && tensor.contiguous() &&
        tensor.elements == storage.elements) {
      return zip_.Read(name, std::as_writable_bytes(values));
    }
    std::vector<std::byte> bytes(storage.bytes());
    zip_.Read(name, bytes);
    GatherTensor(tensor, storage, bytes, values);
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw Error(Concat(file_.name(), ": ", what));
  }

  std::string EntryName(const TorchStorage& storage) const {
    return folder_ + "data/" + storage.key;
  }

  void CheckVersion() const {
    constexpr uint64_t kLongest = 16;
    std::string version = zip_.ReadText(folder_ + "version", kLongest);
    while (version.ends_with('\n')) version.pop_back();
    const bool number =
        !version.empty() && version.size() <= 2 &&
        version.find_first_not_of("0123456789") == std::string::npos;
    if (!number || std::stoi(version) < 1 || std::stoi(version) > 10) {
      Fail("file version: expected 1 to 10, found " + Quoted(version));
    }
    if (zip_.Find(folder_ + "byteorder") == nullptr) return;
    const std::string order = zip_.ReadText(folder_ + "byteorder", kLongest);
    if (order != "little") {
      Fail("byte order: expected 'little', found " + Quoted(order));
    }
  }

  void CheckStorage(const TorchStorage& storage) const {
    const auto* entry = zip_.Find(EntryName(storage));
    if (entry == nullptr) {
      Fail("has no entry " + Quoted(EntryName(storage)));
    }
    if (entry->size != storage.bytes()) {
      Fail(Concat("entry ", Quoted(EntryName(storage)), ": expected ",
                  storage.elements, " elements of ", storage.type, ", found ",
                  entry->size, " bytes"));
    }
  }

  InputFile file_;
  ZipArchive zip_;
  std::string folder_;  // with a slash
  TorchState state_;
  std::optional<ModelMetadata> metadata_;
};

}  // namespace

std::unique_ptr<WeightFile> OpenTorchZip(const std::filesystem::path& path) {
  return std::make_unique<TorchZip>(path);
}

}  // namespace alexnet
