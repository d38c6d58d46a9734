// SPDX-License-Identifier: MIT
#include "io/torch_state.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "alexnet/error.h"
#include "io/bytes.h"
#include "io/pickle.h"
#include "io/shape_math.h"

namespace alexnet {
namespace {

using Kind = PickleValue::Kind;

struct StorageType {
  std::string_view name;
  uint64_t element_size;
  std::optional<FloatType> float_type = std::nullopt;
};

constexpr StorageType kStorageTypes[] = {
    {"torch.FloatStorage", 4, FloatType::kFloat},
    {"torch.HalfStorage", 2, FloatType::kHalf},
    {"torch.BFloat16Storage", 2, FloatType::kBfloat16},
    {"torch.DoubleStorage", 8, FloatType::kDouble},
    {"torch.LongStorage", 8},
    {"torch.IntStorage", 4},
    {"torch.ShortStorage", 2},
    {"torch.CharStorage", 1},
    {"torch.ByteStorage", 1},
    {"torch.BoolStorage", 1},
};

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter =
    "torch._utils._rebuild_parameter";

// All that state_dicts, optimizers and schedulers are made of.
constexpr std::string_view kGlobals[] = {
    kOrderedDict,          kRebuildTensor,      kRebuildParameter,
    "collections.Counter", "torch.Size",        "torch.device",
    "torch.FloatStorage",  "torch.HalfStorage", "torch.BFloat16Storage",
    "torch.DoubleStorage", "torch.LongStorage", "torch.IntStorage",
    "torch.ShortStorage",  "torch.CharStorage", "torch.ByteStorage",
    "torch.BoolStorage",
};

constexpr std::string_view kRefusalHint =
    ": nothing in a file is ever called. If this is a full-model pickle: save "
    "state_dict() instead";

// Above this no size is honest, and sums of a few do not wrap.
constexpr int64_t kMostElements = int64_t{1} << 48;

class StateReader {
 public:
  StateReader(const Pickle& pickle, const std::string& file_name)
      : pickle_(pickle), file_name_(file_name) {}

  TorchState Read() {
    for (const PickleValue& node : pickle_.nodes()) {
      if (node.Is(Kind::kPersistentId)) AddStorage(node);
    }
    const PickleValue& dict = FindStateDict();
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      AddTensor(*dict.items[i], *dict.items[i + 1]);
    }
    if (state_.tensors.empty()) Fail("holds no tensors");
    StripPrefixes();
    return std::move(state_);
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw Error(Concat(file_name_, ": ", what));
  }

  // persistent id: ('storage', type, key, location, elements[, view])
  void AddStorage(const PickleValue& node) {
    const PickleValue& id = *node.items[0];
    const auto& items = id.items;
    const bool storage =
        id.Is(Kind::kTuple) && items.size() >= 5 && items.size() <= 6 &&
        items[0]->IsString("storage") && items[1]->Is(Kind::kGlobal) &&
        items[2]->Is(Kind::kString) && items[4]->Is(Kind::kInt);
    if (!storage) Fail("a persistent id does not describe a storage");
    if (items.size() == 6 && !items[5]->Is(Kind::kNone)) {
      Fail(
          "a storage is a view of another: load and save the file again with "
          "a newer PyTorch");
    }
    const auto type =
        std::ranges::find(kStorageTypes, items[1]->text, &StorageType::name);
    const int64_t elements = items[4]->integer;
    if (type == std::end(kStorageTypes) || elements < 0 ||
        elements > kMostElements) {
      Fail(Concat("storage ", Quoted(items[2]->text), ": type ", items[1]->text,
                  " with ", elements, " elements"));
    }
    Insert(node, {std::string(items[2]->text), std::string(type->name),
                  type->element_size, static_cast<uint64_t>(elements),
                  type->float_type});
  }

  // Each tensor names its storage anew; all must say the same of it.
  void Insert(const PickleValue& node, TorchStorage storage) {
    const auto [known, is_new] =
        by_key_.try_emplace(storage.key, state_.storages.size());
    by_node_[&node] = known->second;
    if (is_new) {
      state_.storages.push_back(std::move(storage));
      return;
    }
    const TorchStorage& first = state_.storages[known->second];
    if (first.type != storage.type || first.elements != storage.elements) {
      Fail(Concat("storage ", Quoted(first.key), ": ", first.elements, " of ",
                  first.type, " in one place, ", storage.elements, " of ",
                  storage.type, " in another"));
    }
  }

  static bool IsDict(const PickleValue& value) {
    return value.Is(Kind::kDict) || value.IsReduceOf(kOrderedDict);
  }

  const PickleValue& FindStateDict() const {
    constexpr std::string_view kWrappers[] = {"state_dict", "model_state_dict",
                                              "model", "net"};
    const PickleValue* dict = &pickle_.root();
    // A wrapper in a wrapper is seen at times; a pickle may hold itself.
    for (int depth = 0; depth < 3; ++depth) {
      for (const std::string_view key : kWrappers) {
        const PickleValue* inner = dict->Find(key);
        if (inner == nullptr || !IsDict(*inner)) continue;
        dict = inner;
        break;
      }
    }
    if (!IsDict(*dict)) {
      Fail(Concat("expected a state_dict, which is a dict of tensors, found a ",
                  Name(dict->kind)));
    }
    return *dict;
  }

  void AddTensor(const PickleValue& key, const PickleValue& value) {
    if (!key.Is(Kind::kString)) {
      Fail(Concat("a name in the state_dict is no string but a ",
                  Name(key.kind)));
    }
    name_ = key.text;
    if (!names_.insert(name_).second) FailTensor("is there twice");
    const PickleValue* tensor = &value;
    if (tensor->IsReduceOf(kRebuildParameter) &&
        !tensor->arguments->items.empty()) {
      tensor = tensor->arguments->items[0];
    }
    if (!tensor->IsReduceOf(kRebuildTensor)) {
      FailTensor(Concat("expected a tensor, found a ", Name(tensor->kind),
                        " (a state_dict is looked for at the top and under "
                        "'state_dict', 'model_state_dict', 'model', 'net')"));
    }
    const auto& arguments = tensor->arguments->items;
    if (arguments.size() < 4 || !arguments[0]->Is(Kind::kPersistentId) ||
        !arguments[1]->Is(Kind::kInt)) {
      FailTensor("its arguments are not (storage, offset, shape, strides)");
    }
    AddTensor(by_node_.at(arguments[0]), arguments[1]->integer,
              Integers(*arguments[2]), Integers(*arguments[3]));
  }

  std::vector<int64_t> Integers(const PickleValue& tuple) const {
    constexpr size_t kMaxRank = 8;
    if (!tuple.Is(Kind::kTuple) || tuple.items.size() > kMaxRank) {
      FailTensor("its shape or strides are no short tuple");
    }
    std::vector<int64_t> values;
    for (const PickleValue* item : tuple.items) {
      if (!item->Is(Kind::kInt) || item->integer < 0 ||
          item->integer > kMostElements) {
        FailTensor("its shape or strides are out of range");
      }
      values.push_back(item->integer);
    }
    return values;
  }

  void AddTensor(size_t index, int64_t offset, std::vector<int64_t> shape,
                 std::vector<int64_t> strides) {
    const TorchStorage& storage = state_.storages[index];
    if (!storage.float_type && shape.empty()) return;  // a counter of batches
    if (!storage.float_type) {
      FailTensor(
          Concat("expected floating-point values, found ", storage.type));
    }
    const auto elements = CheckedElements(shape);
    if (!elements || shape.size() != strides.size() || offset < 0 ||
        offset > kMostElements) {
      FailTensor("its shape, strides and offset make no sense");
    }
    // Of what lies further than the storage reaches, or says that it is larger
    // than its storage, nothing must be believed, least of all its size.
    auto last = static_cast<unsigned __int128>(offset);
    for (size_t d = 0; d < shape.size(); ++d) {
      last +=
          static_cast<unsigned __int128>(std::max<int64_t>(shape[d], 1) - 1) *
          static_cast<uint64_t>(strides[d]);
    }
    const auto count = static_cast<uint64_t>(*elements);
    if (count > storage.elements || (count > 0 && last >= storage.elements)) {
      FailTensor(Concat("reaches beyond its storage of ", storage.elements,
                        " elements"));
    }
    state_.infos.push_back({std::string(name_), shape});
    state_.tensors.push_back({index, static_cast<uint64_t>(offset),
                              std::move(shape), std::move(strides), count});
  }

  [[noreturn]] void FailTensor(const std::string& what) const {
    Fail(Concat("tensor ", Quoted(name_), ": ", what));
  }

  // DistributedDataParallel's and torch.compile's, where all names have them.
  void StripPrefixes() {
    constexpr std::string_view kPrefixes[] = {"module.", "_orig_mod."};
    for (bool again = true; again;) {
      again = false;
      for (const std::string_view prefix : kPrefixes) {
        const auto has_it = [&](const TensorInfo& info) {
          return info.name.starts_with(prefix);
        };
        if (!std::ranges::all_of(state_.infos, has_it)) continue;
        for (auto& info : state_.infos) info.name.erase(0, prefix.size());
        again = true;
      }
    }
  }

  const Pickle& pickle_;
  const std::string& file_name_;
  TorchState state_;
  std::map<std::string, size_t> by_key_;
  std::map<const PickleValue*, size_t> by_node_;
  std::string_view name_;  // of the tensor at work
  std::set<std::string_view> names_;
};

}  // namespace

bool TorchTensor::contiguous() const {
  if (elements == 0) return true;
  int64_t expected = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] != 1 && strides[d] != expected) return false;
    expected *= shape[d];
  }
  return true;
}

TorchState ParseTorchState(std::span<const std::byte> bytes,
                           const std::string& file_name) {
  const Pickle pickle(bytes, {.file_name = file_name,
                              .globals = kGlobals,
                              .refusal_hint = std::string(kRefusalHint)});
  TorchState state = StateReader(pickle, file_name).Read();
  state.consumed = pickle.consumed();
  return state;
}

void GatherTensor(const TorchTensor& tensor, const TorchStorage& storage,
                  std::span<const std::byte> bytes, std::span<float> values) {
  ALEXNET_CHECK(values.size() == tensor.elements);
  ALEXNET_CHECK(bytes.size() == storage.bytes());
  if (values.empty()) return;
  const FloatType type = storage.float_type.value();
  const uint64_t size = storage.element_size;
  if (tensor.contiguous()) {
    return ToFloat32(type,
                     bytes.subspan(tensor.offset * size, values.size() * size),
                     values);
  }
  const size_t rank = tensor.shape.size();
  std::vector<int64_t> index(rank, 0);
  auto at = static_cast<int64_t>(tensor.offset);
  for (size_t i = 0; i < values.size(); ++i) {
    ToFloat32(type, bytes.subspan(static_cast<uint64_t>(at) * size, size),
              values.subspan(i, 1));
    // The next index, the last dimension running fastest.
    for (size_t d = rank; d-- > 0;) {
      at += tensor.strides[d];
      if (++index[d] < tensor.shape[d]) break;
      at -= tensor.strides[d] * tensor.shape[d];
      index[d] = 0;
    }
  }
}

}  // namespace alexnet
