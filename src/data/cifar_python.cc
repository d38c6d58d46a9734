// SPDX-License-Identifier: MIT
// cifar-10-batches-py/: dicts that Python 2 pickled, with a list of labels and
// a NumPy array of images × 3072 bytes.
#include <filesystem>

#include "alexnet/error.h"
#include "data/cifar.h"
#include "io/input_file.h"
#include "io/pickle.h"

namespace alexnet {
namespace {

using Kind = PickleValue::Kind;

// NumPy renamed its module in version 2.
constexpr std::string_view kReconstruct = "numpy.core.multiarray._reconstruct";
constexpr std::string_view kReconstruct2 =
    "numpy._core.multiarray._reconstruct";
constexpr std::string_view kDtype = "numpy.dtype";
constexpr std::string_view kGlobals[] = {kReconstruct, kReconstruct2,
                                         "numpy.ndarray", kDtype};

constexpr uint64_t kMaxNamesBytes = 64 << 10;

Pickle Unpickle(const std::string& file, std::span<const std::byte> bytes,
                const CifarPickleKeys& keys) {
  const std::string hint =
      Concat("; ", keys.data_set,
             "'s files hold nothing but lists, text and NumPy arrays");
  Pickle pickle(bytes,
                {.file_name = file, .globals = kGlobals, .refusal_hint = hint});
  if (!pickle.root().Is(Kind::kDict)) {
    throw Error(Concat(file, ": holds a ", Name(pickle.root().kind),
                       ", expected a dict"));
  }
  return pickle;
}

const PickleValue& Entry(const std::string& file, const PickleValue& dict,
                         std::string_view key) {
  const PickleValue* value = dict.Find(key);
  if (value == nullptr) throw Error(Concat(file, ": has no '", key, "'"));
  return *value;
}

const PickleValue& List(const std::string& file, const PickleValue& dict,
                        std::string_view key) {
  const PickleValue& list = Entry(file, dict, key);
  if (!list.Is(Kind::kList)) {
    throw Error(Concat(file, ": '", key, "' is a ", Name(list.kind),
                       ", expected a list"));
  }
  return list;
}

bool IsInt(const PickleValue& value, int64_t expected) {
  return value.Is(Kind::kInt) && value.integer == expected;
}

bool IsBytesDtype(const PickleValue& dtype) {
  if (!dtype.IsReduceOf(kDtype) || dtype.arguments->items.empty()) return false;
  const PickleValue& code = *dtype.arguments->items[0];
  return code.IsString("u1") || code.IsString("|u1");
}

// The array's state is (version, shape, dtype, is it column-major, bytes).
std::string_view Pixels(const std::string& file, const PickleValue& array,
                        int64_t images) {
  const auto refuse = [&](std::string_view what) {
    throw Error(Concat(file, ": 'data' ", what, ", expected a NumPy array of ",
                       images, " × ", kCifarPixels, " bytes, as there are ",
                       images, " labels"));
  };
  if (!array.IsReduceOf(kReconstruct) && !array.IsReduceOf(kReconstruct2)) {
    refuse("is not an array");
  }
  if (array.state == nullptr || !array.state->Is(Kind::kTuple) ||
      array.state->items.size() != 5) {
    refuse("is an array of no known form");
  }
  const auto& state = array.state->items;
  const PickleValue& shape = *state[1];
  if (!shape.Is(Kind::kTuple) || shape.items.size() != 2 ||
      !IsInt(*shape.items[0], images) ||
      !IsInt(*shape.items[1], kCifarPixels)) {
    refuse("has another shape");
  }
  if (!IsBytesDtype(*state[2])) refuse("is of another type");
  if (!state[3]->Is(Kind::kBool) || state[3]->integer != 0) {
    refuse("is stored by columns");
  }
  const PickleValue& bytes = *state[4];
  if (!bytes.Is(Kind::kString) && !bytes.Is(Kind::kBytes)) {
    refuse("has no bytes");
  }
  if (std::ssize(bytes.text) != images * kCifarPixels) {
    refuse(Concat("has ", bytes.text.size(), " bytes"));
  }
  return bytes.text;
}

std::vector<std::byte> ReadWhole(const std::filesystem::path& path,
                                 uint64_t most) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    throw Error(Concat(path.string(), ": file is missing"));
  }
  const InputFile file(path);
  if (file.size() > most) {
    throw Error(Concat(file.name(), ": size is ", file.size(),
                       " bytes, expected at most ", most));
  }
  std::vector<std::byte> bytes(file.size());
  file.ReadAt(0, bytes);
  return bytes;
}

}  // namespace

void AppendCifarPickle(const std::string& file,
                       std::span<const std::byte> pickle, ImageBlock& block,
                       const CifarPickleKeys& keys) {
  const Pickle tree = Unpickle(file, pickle, keys);
  const PickleValue& labels = List(file, tree.root(), keys.labels);
  const auto images = std::ssize(labels.items);
  if (images < 1 || images > kCifarMaxImagesPerFile) {
    throw Error(Concat(file, ": ", images, " labels, expected 1 to ",
                       kCifarMaxImagesPerFile));
  }
  const std::string_view pixels =
      Pixels(file, Entry(file, tree.root(), "data"), images);
  for (int64_t i = 0; i < images; ++i) {
    const PickleValue& label = *labels.items[static_cast<size_t>(i)];
    if (!label.Is(Kind::kInt) || label.integer < 0 ||
        label.integer >= keys.classes) {
      throw Error(Concat(file, ": label of image ", i, " is ",
                         label.Is(Kind::kInt) ? Concat(label.integer)
                                              : Concat("a ", Name(label.kind)),
                         ", expected 0 to ", keys.classes - 1));
    }
    block.labels.push_back(static_cast<int32_t>(label.integer));
  }
  block.pixels.insert(block.pixels.end(), pixels.begin(), pixels.end());
}

std::vector<std::string> ParseCifarPickledNames(
    const std::string& file, std::span<const std::byte> pickle,
    const CifarPickleKeys& keys) {
  const Pickle tree = Unpickle(file, pickle, keys);
  std::vector<std::string> names;
  for (const PickleValue* name : List(file, tree.root(), keys.names).items) {
    if (!name->Is(Kind::kString)) {
      throw Error(Concat(file, ": '", keys.names, "' holds a ",
                         Name(name->kind), ", expected text"));
    }
    names.emplace_back(name->text);
  }
  CheckCifarClassNames(file, names, keys.classes);
  return names;
}

std::unique_ptr<Dataset> ReadCifarPython(const std::filesystem::path& folder,
                                         Split split) {
  std::vector<std::string> names;
  const auto meta = folder / "batches.meta";
  std::error_code ignored;
  if (std::filesystem::exists(meta, ignored)) {
    names =
        ParseCifarPickledNames(meta.string(), ReadWhole(meta, kMaxNamesBytes));
  }
  ImageBlock block = EmptyCifarBlock(split, std::move(names));
  for (const std::string& name : CifarBatchNames(split)) {
    const auto file = folder / name;
    AppendCifarPickle(file.string(), ReadWhole(file, kCifarMaxPickleBytes),
                      block);
  }
  return MakeDataset(std::move(block));
}

}  // namespace alexnet
