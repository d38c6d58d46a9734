// SPDX-License-Identifier: MIT
#include "io/pickle.h"

#include <algorithm>
#include <bit>

#include "alexnet/error.h"
#include "io/bytes.h"
#include "io/pickle_opcodes.h"

namespace alexnet {

using Kind = PickleValue::Kind;

std::string_view Name(Kind kind) {
  constexpr std::string_view kNames[] = {
      "None", "bool",  "int",  "long int", "float",         "str",    "bytes",
      "list", "tuple", "dict", "set",      "persistent id", "global", "object"};
  return kNames[static_cast<size_t>(kind)];
}

const PickleValue* PickleValue::Find(std::string_view key) const {
  if (kind != Kind::kDict && kind != Kind::kReduce) return nullptr;
  for (size_t i = items.size() / 2; i-- > 0;) {
    if (items[2 * i]->IsString(key)) return items[2 * i + 1];
  }
  return nullptr;
}

namespace {

using namespace pickle;

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const PickleOptions& options,
          std::deque<PickleValue>& nodes)
      : bytes_(bytes), options_(options), nodes_(nodes) {}

  // Runs to the STOP and returns what it leaves.
  const PickleValue* Run() {
    // An opcode adds a few words at most, so this bounds memory and time even
    // where objects are only referred to again.
    for (size_t left = 10 * options_.max_objects;; --left) {
      start_ = at_;
      if (left == 0) Fail("too many opcodes");
      const auto code = Number<uint8_t>();
      if (code == kStop) break;
      if (!Scalar(code) && !Container(code) && !Memo(code) && !Object(code)) {
        Fail(Concat("opcode ", int{code}, " is not one of those understood"));
      }
    }
    const PickleValue* root = Pop();
    if (!stack_.empty()) Fail("values are left over at the end");
    return root;
  }

  size_t position() const { return at_; }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw Error(
        Concat(options_.file_name, ": pickle, byte ", start_, ": ", what));
  }

  std::string_view Take(uint64_t count) {
    if (count > bytes_.size() - at_) {
      Fail(Concat("expected ", count, " more bytes, found ",
                  bytes_.size() - at_));
    }
    const auto text = AsText(bytes_.subspan(at_, count));
    at_ += count;
    return text;
  }

  template <class T>
  T Number() {
    return LoadLittle<T>(std::as_bytes(std::span(Take(sizeof(T)))));
  }

  std::string_view Line() {
    const auto rest = AsText(bytes_.subspan(at_));
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) Fail("a name has no end");
    at_ += end + 1;
    return rest.substr(0, end);
  }

  PickleValue& New(Kind kind) {
    if (nodes_.size() >= options_.max_objects) {
      Fail(Concat("more than ", options_.max_objects, " objects"));
    }
    nodes_.emplace_back().kind = kind;
    return nodes_.back();
  }

  PickleValue& Push(Kind kind) {
    PickleValue& value = New(kind);
    stack_.push_back(&value);
    return value;
  }
  void PushInt(int64_t integer) { Push(Kind::kInt).integer = integer; }
  void PushText(Kind kind, std::string_view text) { Push(kind).text = text; }

  // The stack below the last mark is out of reach.
  PickleValue* Top() const {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) {
      Fail("the stack is empty");
    }
    return stack_.back();
  }
  PickleValue* Pop() {
    PickleValue* top = Top();
    stack_.pop_back();
    return top;
  }

  std::vector<const PickleValue*> PopToMark() {
    if (marks_.empty()) Fail("there is no mark");
    const auto first =
        stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleValue*> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }

  std::vector<const PickleValue*> PopItems(size_t count) {
    std::vector<const PickleValue*> items(count);
    while (count > 0) items[--count] = Pop();
    return items;
  }

  void PushLong(std::string_view text) {
    if (text.size() > sizeof(int64_t)) return PushText(Kind::kLong, text);
    uint64_t bits = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      bits |= uint64_t{static_cast<uint8_t>(text[i])} << (8 * i);
    }
    if (!text.empty() && text.size() < 8 && (text.back() & 0x80) != 0) {
      bits |= ~uint64_t{0} << (8 * text.size());
    }
    PushInt(static_cast<int64_t>(bits));
  }

  bool Scalar(uint8_t code) {
    switch (code) {
      case kNone:
        Push(Kind::kNone);
        return true;
      case kNewTrue:
      case kNewFalse:
        Push(Kind::kBool).integer = code == kNewTrue;
        return true;
      case kBinInt:
        PushInt(Number<int32_t>());
        return true;
      case kBinInt1:
        PushInt(Number<uint8_t>());
        return true;
      case kBinInt2:
        PushInt(Number<uint16_t>());
        return true;
      case kLong1:
        PushLong(Take(Number<uint8_t>()));
        return true;
      case kBinFloat: {  // the only number here that is big-endian
        const auto bits = __builtin_bswap64(Number<uint64_t>());
        Push(Kind::kFloat).real = std::bit_cast<double>(bits);
        return true;
      }
      default:
        return Text(code);
    }
  }

  bool Text(uint8_t code) {
    switch (code) {
      case kShortBinString:
      case kShortBinUnicode:
        PushText(Kind::kString, Take(Number<uint8_t>()));
        return true;
      case kBinString:
      case kBinUnicode:
        PushText(Kind::kString, Take(Number<uint32_t>()));
        return true;
      case kBinUnicode8:
        PushText(Kind::kString, Take(Number<uint64_t>()));
        return true;
      case kShortBinBytes:
        PushText(Kind::kBytes, Take(Number<uint8_t>()));
        return true;
      case kBinBytes:
        PushText(Kind::kBytes, Take(Number<uint32_t>()));
        return true;
      case kBinBytes8:
        PushText(Kind::kBytes, Take(Number<uint64_t>()));
        return true;
      default:
        return false;
    }
  }

  void AppendTo(PickleValue* target,
                const std::vector<const PickleValue*>& values) {
    if (!target->Is(Kind::kList)) {
      Fail(Concat("appends to a ", Name(target->kind)));
    }
    target->items.insert(target->items.end(), values.begin(), values.end());
  }

  void SetItems(PickleValue* target,
                const std::vector<const PickleValue*>& pairs) {
    if (!target->Is(Kind::kReduce) && !target->Is(Kind::kDict)) {
      Fail(Concat("sets items of a ", Name(target->kind)));
    }
    if (pairs.size() % 2 != 0) Fail("a key has no value");
    target->items.insert(target->items.end(), pairs.begin(), pairs.end());
  }

  bool Container(uint8_t code) {
    switch (code) {
      case kMark:
        marks_.push_back(stack_.size());
        return true;
      case kEmptyList:
        Push(Kind::kList);
        return true;
      case kEmptyTuple:
        Push(Kind::kTuple);
        return true;
      case kEmptyDict:
        Push(Kind::kDict);
        return true;
      case kEmptySet:
        Push(Kind::kSet);
        return true;
      case kTuple:
        return PushTuple(PopToMark());
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return PushTuple(PopItems(size_t{code} - kTuple1 + 1));
      case kAppend:
      case kAppends: {
        const auto values = code == kAppend ? PopItems(1) : PopToMark();
        AppendTo(Top(), values);
        return true;
      }
      case kSetItem:
      case kSetItems: {
        const auto pairs = code == kSetItem ? PopItems(2) : PopToMark();
        SetItems(Top(), pairs);
        return true;
      }
      default:
        return false;
    }
  }

  bool PushTuple(std::vector<const PickleValue*> items) {
    Push(Kind::kTuple).items = std::move(items);
    return true;
  }

  void Put(uint64_t index) {
    if (index >= options_.max_objects) Fail(Concat("memo index ", index));
    if (index >= memo_.size()) memo_.resize(index + 1);
    memo_[index] = Top();
  }
  void Get(uint64_t index) {
    if (index >= memo_.size() || memo_[index] == nullptr) {
      Fail(Concat("memo ", index, " was never set"));
    }
    stack_.push_back(memo_[index]);
  }

  bool Memo(uint8_t code) {
    switch (code) {
      case kBinPut:
        Put(Number<uint8_t>());
        return true;
      case kLongBinPut:
        Put(Number<uint32_t>());
        return true;
      case kMemoize:
        Put(memo_.size());
        return true;
      case kBinGet:
        Get(Number<uint8_t>());
        return true;
      case kLongBinGet:
        Get(Number<uint32_t>());
        return true;
      case kPop:
        Pop();
        return true;
      case kPopMark:
        PopToMark();
        return true;
      default:
        return false;
    }
  }

  void PushGlobal(std::string_view module, std::string_view name) {
    const std::string full = Concat(module, ".", name);
    const auto allowed = std::ranges::find(options_.globals, full);
    if (allowed == options_.globals.end()) {
      Fail(Concat("refuses ", Quoted(full), options_.refusal_hint));
    }
    PushText(Kind::kGlobal, *allowed);
  }

  void Reduce() {
    const PickleValue* arguments = Pop();
    const PickleValue* function = Pop();
    if (!function->Is(Kind::kGlobal) || !arguments->Is(Kind::kTuple)) {
      Fail(Concat("expected a global and a tuple, found a ",
                  Name(function->kind), " and a ", Name(arguments->kind)));
    }
    PickleValue& value = Push(Kind::kReduce);
    value.function = function;
    value.arguments = arguments;
  }

  void Build() {
    const PickleValue* state = Pop();
    PickleValue* target = Top();
    if (!target->Is(Kind::kReduce)) {
      Fail(Concat("sets the state of a ", Name(target->kind)));
    }
    target->state = state;
  }

  void CheckProtocol() {
    const auto protocol = Number<uint8_t>();
    if (protocol < 2 || protocol > 5) {
      Fail(Concat("expected protocol 2 to 5, found ", int{protocol}));
    }
  }

  bool Object(uint8_t code) {
    switch (code) {
      case kProto:
        CheckProtocol();
        return true;
      case kFrame:  // says how long the next part is, which nobody needs
        Number<uint64_t>();
        return true;
      case kGlobal: {
        const auto module = Line();
        PushGlobal(module, Line());
        return true;
      }
      case kStackGlobal: {
        const auto names = PopItems(2);
        for (const auto* name : names) {
          if (!name->Is(Kind::kString)) Fail("a global's name is no string");
        }
        PushGlobal(names[0]->text, names[1]->text);
        return true;
      }
      case kReduce:
      case kNewObj:
        Reduce();
        return true;
      case kBuild:
        Build();
        return true;
      case kBinPersid: {
        const PickleValue* id = Pop();
        Push(Kind::kPersistentId).items = {id};
        return true;
      }
      default:
        return false;
    }
  }

  std::span<const std::byte> bytes_;
  const PickleOptions& options_;
  std::deque<PickleValue>& nodes_;
  size_t at_ = 0;
  size_t start_ = 0;  // of the opcode at work
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::vector<PickleValue*> memo_;
};

}  // namespace

Pickle::Pickle(std::span<const std::byte> bytes, const PickleOptions& options) {
  Machine machine(bytes, options, nodes_);
  root_ = machine.Run();
  consumed_ = machine.position();
}

}  // namespace alexnet
