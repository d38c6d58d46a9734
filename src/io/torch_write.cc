// SPDX-License-Identifier: MIT
#include "io/torch_write.h"

#include <algorithm>
#include <limits>
#include <set>

#include "alexnet/error.h"
#include "io/atomic_file.h"
#include "io/bytes.h"
#include "io/metadata_json.h"
#include "io/pickle_opcodes.h"
#include "io/zip_writer.h"

namespace alexnet {
namespace {

using namespace pickle;

// data.pkl: OrderedDict of name → _rebuild_tensor_v2(…), opcode by opcode as
// Python's pickler would, but for its memo, which nothing here needs.
class StatePickle {
 public:
  StatePickle() {
    Op(kProto);
    text_ += '\2';
    EmptyOrderedDict();
    Op(kMark);
  }

  void Add(const TensorInfo& info, size_t storage) {
    String(info.name);
    Global("torch._utils", "_rebuild_tensor_v2");
    Op(kMark);
    StorageId(storage, info.elements());
    Int(0);  // offset
    Ints(info.shape);
    Ints(Strides(info.shape));
    Op(kNewFalse);       // requires_grad
    EmptyOrderedDict();  // hooks
    Op(kTuple);
    Op(kReduce);
  }

  std::string Finish() {
    Op(kSetItems);
    Op(kStop);
    return std::move(text_);
  }

 private:
  static std::vector<int64_t> Strides(const std::vector<int64_t>& shape) {
    std::vector<int64_t> strides(shape.size());
    int64_t stride = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      strides[d] = stride;
      stride *= shape[d];
    }
    return strides;
  }

  void Op(Opcode code) { text_ += static_cast<char>(code); }

  void Global(std::string_view module, std::string_view name) {
    Op(pickle::kGlobal);
    text_ += Concat(module, '\n', name, '\n');
  }

  void String(std::string_view value) {
    Op(kBinUnicode);
    AppendLittle(text_, static_cast<uint32_t>(value.size()));
    text_ += value;
  }

  void Int(int64_t value) {
    if (value <= std::numeric_limits<int32_t>::max()) {
      Op(kBinInt);
      AppendLittle(text_, static_cast<int32_t>(value));
    } else {
      Op(kLong1);
      text_ += '\10';
      AppendLittle(text_, value);
    }
  }

  void Ints(const std::vector<int64_t>& values) {
    Op(kMark);
    for (const int64_t value : values) Int(value);
    Op(kTuple);
  }

  void EmptyOrderedDict() {
    Global("collections", "OrderedDict");
    Op(kEmptyTuple);
    Op(kReduce);
  }

  void StorageId(size_t storage, int64_t elements) {
    Op(kMark);
    String("storage");
    Global("torch", "FloatStorage");
    String(std::to_string(storage));
    String("cpu");
    Int(elements);
    Op(kTuple);
    Op(kBinPersid);
  }

  std::string text_;
};

}  // namespace

void WriteTorch(const std::filesystem::path& path, const TensorSource& tensors,
                const ModelMetadata& metadata) {
  const auto& infos = tensors.tensors();
  StatePickle state;
  std::set<std::string_view> names;
  for (size_t i = 0; i < infos.size(); ++i) {
    if (!names.insert(infos[i].name).second) {
      throw Error(
          Concat(path.string(), ": two tensors named ", Quoted(infos[i].name)));
    }
    state.Add(infos[i], i);
  }

  AtomicFile file(path);
  ZipWriter zip(file, path.string());
  // The folder's name that torch.save gives when it writes to a stream.
  const std::string folder = "archive/";
  zip.Add(folder + "data.pkl", state.Finish());
  zip.Add(folder + "byteorder", "little");
  std::vector<float> room;
  for (size_t i = 0; i < infos.size(); ++i) {
    zip.Add(Concat(folder, "data/", i),
            std::as_bytes(ValuesOf(tensors, i, room)));
  }
  zip.Add(folder + "version", "3\n");
  zip.Add(folder + "alexnet.json", ToJson(metadata));
  zip.Finish();
  file.Commit();
}

}  // namespace alexnet
