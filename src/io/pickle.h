// SPDX-License-Identifier: MIT
// A restricted reader of Python pickles: it builds inert data and can call
// nothing. A "reduce" is only written down as (what, arguments).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alexnet {

// A node of the tree. Text points into the pickle's bytes. A node may be
// reached over several ways, and a hostile pickle can build cycles: never walk
// a tree without a bound.
struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,          // integer
    kInt,           // integer
    kLong,          // text: little-endian two's complement, more than 8 bytes
    kFloat,         // real
    kString,        // text; a str of Python 3, or a str of Python 2 (any bytes)
    kBytes,         // text
    kList,          // items
    kTuple,         // items
    kDict,          // items: key, value, key, value, …
    kSet,           // nothing: only the empty one can be built
    kPersistentId,  // items: the id
    kGlobal,        // text: "module.name", one of the allowed
    kReduce,        // function, arguments, state; items: key, value, key, …
  };
  Kind kind = Kind::kNone;
  int64_t integer = 0;
  double real = 0;
  std::string_view text;
  std::vector<const PickleValue*> items;
  const PickleValue* function = nullptr;   // a kGlobal
  const PickleValue* arguments = nullptr;  // a kTuple
  const PickleValue* state = nullptr;      // what BUILD gave it, or null

  bool Is(Kind other) const { return kind == other; }
  bool IsString(std::string_view value) const {
    return kind == Kind::kString && text == value;
  }
  // Whether it is what calling `global` would have made.
  bool IsReduceOf(std::string_view global) const {
    return kind == Kind::kReduce && function->text == global;
  }
  // The value of a string key in a kDict or kReduce; null if it is not there.
  // The last one counts, as in Python.
  const PickleValue* Find(std::string_view key) const;
};

std::string_view Name(PickleValue::Kind kind);

struct PickleOptions {
  std::string file_name;                      // for messages
  std::span<const std::string_view> globals;  // allowed, "module.name"
  std::string refusal_hint;      // added to the message for any other global
  size_t max_objects = 400'000;  // nodes, and memo entries
};

// Owns the nodes; the bytes it was read from and the names of the allowed
// globals must outlive it.
class Pickle {
 public:
  // Reads one pickle from the front of `bytes`. Throws Error naming the file
  // and the byte offset.
  Pickle(std::span<const std::byte> bytes, const PickleOptions& options);
  Pickle(Pickle&&) = default;
  Pickle& operator=(Pickle&&) = default;

  const PickleValue& root() const { return *root_; }
  // Every node, in no special order: a way to find all of a kind without
  // walking the tree.
  const std::deque<PickleValue>& nodes() const { return nodes_; }
  // Bytes up to and with its STOP; more pickles may follow.
  size_t consumed() const { return consumed_; }

 private:
  // Nodes live side by side and refer to each other by address, so that
  // neither building nor destroying a deep tree recurses.
  std::deque<PickleValue> nodes_;
  const PickleValue* root_ = nullptr;
  size_t consumed_ = 0;
};

}  // namespace alexnet
