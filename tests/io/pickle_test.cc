// SPDX-License-Identifier: MIT
#include "io/pickle.h"

#include <gmock/gmock.h>

#include "io/bytes.h"
#include "io_test_util.h"

namespace alexnet {
namespace {

using Kind = PickleValue::Kind;
using testing::HasSubstr;
using namespace std::string_literals;

constexpr std::string_view kAllowed[] = {"collections.OrderedDict"};

Pickle Parse(const std::string& text, size_t max_objects = 1000) {
  // The tree points into the text.
  static std::deque<std::string> kept;
  return Pickle(Bytes(kept.emplace_back(text)), {.file_name = "file",
                                                 .globals = kAllowed,
                                                 .refusal_hint = ": hint",
                                                 .max_objects = max_objects});
}

TEST(PickleTest, ReadsScalars) {
  const std::string text =
      "\x80\2(NK\7M\1\2J\xff\xff\xff\xff\x88\x89G\x3f\xf8\0\0\0\0\0\0"
      "\x8a\2\0\xff\x8a\0X\3\0\0\0a\nbU\2xyT\1\0\0\0zC\1qt."s;
  const Pickle pickle = Parse(text);
  const auto& items = pickle.root().items;
  ASSERT_EQ(items.size(), 13U);
  EXPECT_TRUE(items[0]->Is(Kind::kNone));
  EXPECT_EQ(items[1]->integer, 7);
  EXPECT_EQ(items[2]->integer, 513);
  EXPECT_EQ(items[3]->integer, -1);
  EXPECT_EQ(items[4]->integer, 1);
  EXPECT_EQ(items[5]->integer, 0);
  EXPECT_EQ(items[6]->real, 1.5);
  EXPECT_EQ(items[7]->integer, -256);
  EXPECT_EQ(items[8]->integer, 0);
  EXPECT_TRUE(items[9]->IsString("a\nb"));
  EXPECT_TRUE(items[10]->IsString("xy"));
  EXPECT_TRUE(items[11]->IsString("z"));
  EXPECT_TRUE(items[12]->Is(Kind::kBytes));
  EXPECT_EQ(pickle.consumed(), text.size());
}

TEST(PickleTest, ReadsContainersAndMemo) {
  // {'a': [1, 2], 'b': the same list}, then bytes that are not its.
  const Pickle pickle = Parse("\x80\2}q\0(U\1a]q\1(K\1K\2eU\1bh\1u.rest"s);
  const auto* list = pickle.root().Find("a");
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->items.size(), 2U);
  EXPECT_EQ(pickle.root().Find("b"), list);
  EXPECT_EQ(pickle.root().Find("c"), nullptr);
}

TEST(PickleTest, WritesCallsDownOnly) {
  const Pickle pickle = Parse(
      "\x80\2"
      "ccollections\nOrderedDict\n)RU\1kK\1s}U\1mK\2sb."s);
  const PickleValue& root = pickle.root();
  EXPECT_TRUE(root.IsReduceOf("collections.OrderedDict"));
  EXPECT_EQ(root.Find("k")->integer, 1);
  EXPECT_EQ(root.state->Find("m")->integer, 2);
}

TEST(PickleTest, ReadsProtocol4) {
  const Pickle pickle = Parse(
      "\x80\4\x95\x30\0\0\0\0\0\0\0\x8c\13collections\x94\x8c\13OrderedDict"
      "\x94\x93\x94)R\x94."s);
  EXPECT_TRUE(pickle.root().IsReduceOf("collections.OrderedDict"));
}

TEST(PickleTest, DeepNestingNeedsNoStack) {
  std::string text = "\x80\2)";
  text.append(1'000'000, '\x85');
  const Pickle pickle = Parse(text + ".", 1'100'000);
  EXPECT_EQ(pickle.root().items.size(), 1U);
  EXPECT_THAT(ErrorOf([&] { Parse(text + "."); }), HasSubstr("objects"));
}

TEST(PickleTest, SelfReferenceIsHarmless) {
  const Pickle pickle = Parse("\x80\2]q\0h\0a."s);
  EXPECT_EQ(pickle.root().items[0], &pickle.root());
}

struct BadPickle {
  const char* what;
  std::string text;
  const char* message;
};

TEST(PickleTest, RefusesEveryBrokenRule) {
  const BadPickle kCases[] = {
      {"os.system",
       "\x80\2"s
       "cposix\nsystem\nU\2lst\x85R.",
       "'posix.system': hint"},
      {"eval",
       "\x80\2"
       "c__builtin__\neval\n.",
       "__builtin__.eval"},
      {"stack global", "\x80\4\x8c\2os\x8c\6system\x93.", "os.system"},
      {"stack global, no string", "\x80\4K\1K\2\x93.", "no string"},
      {"dotted way to another",
       "\x80\2"
       "ccollections\nOrderedDict.fromkeys\n.",
       "refuses"},
      {"control bytes in a name",
       "\x80\2"
       "c\x1b[2J\nx\n.",
       "\\x1b[2J"},
      {"name without end",
       "\x80\2"
       "ccollections",
       "no end"},
      {"inst opcode",
       "\x80\2"
       "(ios\nsystem\n.",
       "opcode 105"},
      {"text opcode", "\x80\2I1\n.", "opcode 73"},
      {"extension", "\x80\2\x82\1.", "opcode 130"},
      {"protocol", "\x80\7N.", "protocol"},
      {"old protocol", "\x80\1N.", "protocol"},
      {"empty", "", "expected 1 more"},
      {"no stop", "\x80\2N", "expected 1 more"},
      {"nothing at stop", "\x80\2.", "stack is empty"},
      {"left over", "\x80\2NN.", "left over"},
      {"mark at stop", "\x80\2N(.", "stack is empty"},
      {"huge string",
       "\x80\2X\xff\xff\xff\xff"
       "abc",
       "4294967295"},
      {"huge string, 64 bits",
       "\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
       "a",
       "18446744073709551615"},
      {"huge bytes",
       "\x80\3"
       "B\xff\xff\xff\x7f",
       "2147483647"},
      {"long without bytes", "\x80\2\x8a\xff.", "expected 255"},
      {"memo unset", "\x80\2h\5.", "memo 5"},
      {"memo beyond", "\x80\2Nr\xff\xff\xff\xff.", "memo index"},
      {"put on nothing", "\x80\2q\1.", "stack is empty"},
      {"tuple without mark", "\x80\2Nt.", "no mark"},
      {"tuple3 of two", "\x80\2NN\x87.", "stack is empty"},
      {"below the mark", "\x80\2N(0.", "stack is empty"},
      {"append to none", "\x80\2NNa.", "appends to a None"},
      {"append to tuple", "\x80\2)Na.", "appends to a tuple"},
      {"appends to dict", "\x80\2}(Ne.", "appends to a dict"},
      {"set item of list", "\x80\2]NNs.", "sets items of a list"},
      {"key without value", "\x80\2}(Nu.", "no value"},
      {"build on dict", "\x80\2}}b.", "state of a dict"},
      {"call of a string", "\x80\2U\1a)R.", "expected a global"},
      {"arguments no tuple",
       "\x80\2"
       "ccollections\nOrderedDict\n]R.",
       "and a list"},
      {"call of a call",
       "\x80\2"
       "ccollections\nOrderedDict\n)R)R.",
       "found a object"},
  };
  for (const auto& bad : kCases) {
    EXPECT_THAT(ErrorOf([&] { Parse(bad.text); }), HasSubstr(bad.message))
        << bad.what;
  }
}

TEST(PickleTest, NamesFileAndByte) {
  EXPECT_THAT(ErrorOf([] { Parse("\x80\2NNNI"); }),
              HasSubstr("file: pickle, byte 5: opcode"));
}

TEST(PickleTest, BoundsWorkOnSharedObjects) {
  // Few objects, but referred to again and again.
  std::string text = "\x80\2]q\1(";
  for (int i = 0; i < 20'000; ++i) text += "h\1";
  EXPECT_THAT(ErrorOf([&] { Parse(text + "e."); }), HasSubstr("opcodes"));
}

}  // namespace
}  // namespace alexnet
