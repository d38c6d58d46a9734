// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <map>

#include "alexnet/error.h"
#include "io/bytes.h"
#include "io/input_file.h"
#include "io/pickle.h"
#include "io/torch_file.h"
#include "io/torch_state.h"

namespace alexnet {
namespace {

using Kind = PickleValue::Kind;

// 0x1950a86a20f9469cfc6c, as it stands in the file.
constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kProtocolVersion = 1001;
// The pickles of a state_dict are some kilobytes.
constexpr uint64_t kLongestPickles = 16 << 20;

class TorchLegacy : public WeightFile {
 public:
  explicit TorchLegacy(const std::filesystem::path& path) : file_(path) {
    std::vector<std::byte> bytes(std::min(file_.size(), kLongestPickles));
    file_.ReadAt(0, bytes);
    front_ = bytes;
    CheckHeader();
    state_ = ParseTorchState(front_.subspan(at_), file_.name());
    at_ += state_.consumed;
    LocateStorages();
    front_ = {};
  }

  const std::vector<TensorInfo>& tensors() const override {
    return state_.infos;
  }
  const std::optional<ModelMetadata>& metadata() const override {
    return metadata_;
  }
  std::string format() const override { return "pth (legacy)"; }

  void Read(size_t index, std::span<float> values) const override {
    const TorchTensor& tensor = state_.tensors.at(index);
    const TorchStorage& storage = state_.storages[tensor.storage];
    ALEXNET_CHECK(values.size() == tensor.elements);
    const uint64_t place = places_[tensor.storage];
    if (storage.float_type == FloatType::kFloat && tensor.contiguous()) {
      return file_.ReadAt(place + tensor.offset * storage.element_size,
                          std::as_writable_bytes(values));
    }
    std::vector<std::byte> bytes(storage.bytes());
    file_.ReadAt(place, bytes);
    GatherTensor(tensor, storage, bytes, values);
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw Error(Concat(file_.name(), ": at byte ", at_, ": ", what));
  }

  Pickle Next() {
    Pickle pickle(
        front_.subspan(at_),
        {.file_name = file_.name(), .globals = {}, .refusal_hint = ""});
    at_ += pickle.consumed();
    return pickle;
  }

  void CheckHeader() {
    const Pickle magic = Next();
    if (!magic.root().Is(Kind::kLong) || magic.root().text != kMagic) {
      Fail("a pickle, but not of torch.save");
    }
    const Pickle version = Next();
    if (!version.root().Is(Kind::kInt) ||
        version.root().integer != kProtocolVersion) {
      Fail(Concat("expected protocol version ", kProtocolVersion));
    }
    const Pickle system = Next();
    const auto* little = system.root().Find("little_endian");
    if (little == nullptr || !little->Is(Kind::kBool) || !little->integer) {
      Fail("expected a little-endian file");
    }
  }

  // A list of keys, then for each its number of elements and its bytes.
  void LocateStorages() {
    const Pickle keys = Next();
    std::map<std::string_view, size_t> missing;
    for (size_t i = 0; i < state_.storages.size(); ++i) {
      missing[state_.storages[i].key] = i;
    }
    places_.resize(state_.storages.size());
    if (!keys.root().Is(Kind::kList)) Fail("expected a list of storages");
    for (const PickleValue* key : keys.root().items) {
      const auto found = missing.find(key->text);
      if (!key->Is(Kind::kString) || found == missing.end()) {
        Fail("storage " + Quoted(key->text) + " is there twice or for nothing");
      }
      places_[found->second] = Skip(state_.storages[found->second]);
      missing.erase(found);
    }
    if (!missing.empty()) {
      Fail(Concat("storage ", Quoted(missing.begin()->first), " is missing"));
    }
    if (at_ != file_.size()) {
      Fail(Concat("expected the end of the file, found ", file_.size() - at_,
                  " more bytes"));
    }
  }

  uint64_t Skip(const TorchStorage& storage) {
    std::array<std::byte, 8> prefix;
    file_.ReadAt(at_, prefix);
    const auto elements = LoadLittle<uint64_t>(prefix);
    if (elements != storage.elements) {
      Fail(Concat("storage ", Quoted(storage.key), ": expected ",
                  storage.elements, " elements, found ", elements));
    }
    at_ += prefix.size();
    if (storage.bytes() > file_.size() - at_) {
      Fail(Concat("storage ", Quoted(storage.key), ": expected ",
                  storage.bytes(), " bytes, found ", file_.size() - at_));
    }
    const uint64_t place = at_;
    at_ += storage.bytes();
    return place;
  }

  InputFile file_;
  std::span<const std::byte> front_;  // only while opening
  uint64_t at_ = 0;
  TorchState state_;
  std::vector<uint64_t> places_;  // in the file, as state_.storages
  std::optional<ModelMetadata> metadata_;
};

}  // namespace

std::unique_ptr<WeightFile> OpenTorchLegacy(const std::filesystem::path& path) {
  return std::make_unique<TorchLegacy>(path);
}

}  // namespace alexnet
