// SPDX-License-Identifier: MIT
// .pth files made by hand, each of which breaks one rule.
#include <gmock/gmock.h>
#include <zip.h>

#include "io/atomic_file.h"
#include "io/bytes.h"
#include "io/zip_writer.h"
#include "io_test_util.h"

namespace alexnet {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

std::string Text(const std::string& text) {
  std::string out = "X";
  AppendLittle(out, static_cast<uint32_t>(text.size()));
  return out + text;
}

std::string Int(int64_t value) {
  std::string out = "\x8a\x08";
  AppendLittle(out, value);
  return out;
}

std::string Ints(const std::vector<int64_t>& values) {
  std::string out = "(";
  for (const int64_t value : values) out += Int(value);
  return out + "t";
}

struct Storage {
  std::string type = "FloatStorage";
  std::string key = "0";
  int64_t elements = 6;

  std::string Pickled() const {
    return Concat("(", Text("storage"), "ctorch\n", type, "\n", Text(key),
                  Text("cpu"), Int(elements), "tQ");
  }
};

std::string Tensor(const std::string& storage, int64_t offset,
                   const std::vector<int64_t>& shape,
                   const std::vector<int64_t>& strides) {
  return Concat("ctorch._utils\n_rebuild_tensor_v2\n(", storage, Int(offset),
                Ints(shape), Ints(strides), "\x89}tR");
}

std::string StateOf(const std::string& tensor) {
  return Concat("\x80\x02}", Text("w"), tensor, "s.");
}

std::string GoodState() {
  return StateOf(Tensor(Storage().Pickled(), 0, {2, 3}, {3, 1}));
}

using Entries = std::vector<std::pair<std::string, std::string>>;

Entries GoodEntries(const std::string& pickle) {
  return {{"a/data.pkl", pickle},
          {"a/data/0", std::string(24, '\0')},
          {"a/version", "3\n"}};
}

std::string ZipOf(const Entries& entries) {
  const TempFile file(".pth");
  AtomicFile output(file.path());
  ZipWriter zip(output, "");
  for (const auto& [name, content] : entries) zip.Add(name, content);
  zip.Finish();
  output.Commit();
  return ReadAll(file.path());
}

std::string MessageFor(const std::string& bytes) {
  const TempFile file(".pth", bytes);
  return ErrorOf([&] { ReadEverything(file.path()); });
}

TEST(TorchHostileTest, TheUnbrokenFileIsTaken) {
  EXPECT_EQ(MessageFor(ZipOf(GoodEntries(GoodState()))), "");
}

TEST(TorchHostileTest, Pickles) {
  const auto tensor = [](int64_t offset, std::vector<int64_t> shape,
                         std::vector<int64_t> strides) {
    return StateOf(Tensor(Storage().Pickled(), offset, shape, strides));
  };
  const auto storage = [](Storage s) {
    return StateOf(Tensor(s.Pickled(), 0, {2, 3}, {3, 1}));
  };
  constexpr int64_t kHuge = int64_t{1} << 62;
  const std::pair<std::string, const char*> kCases[] = {
      {StateOf(Concat("cposix\nsystem\n", Text("true"), "\x85R")),
       "posix.system"},
      {StateOf("c__main__\nNet\n)R"), "save state_dict()"},
      {tensor(-1, {2, 3}, {3, 1}), "no sense"},
      {tensor(kHuge, {2, 3}, {3, 1}), "no sense"},
      {tensor(1, {2, 3}, {3, 1}), "beyond its storage"},
      {tensor(0, {2, 3}, {3, -1}), "out of range"},
      {tensor(0, {2, -3}, {3, 1}), "out of range"},
      {tensor(0, {2, 3}, {4, 1}), "beyond its storage"},
      {tensor(0, {2, 3}, {int64_t{1} << 48, 1}), "beyond its storage"},
      {tensor(0, {2, 3}, {kHuge, 1}), "out of range"},
      {tensor(0, {2, 3}, {1}), "no sense"},
      {tensor(0, {1000}, {0}), "beyond its storage"},
      {tensor(0, {int64_t{1} << 40, int64_t{1} << 40}, {0, 0}), "no sense"},
      {tensor(0, {kHuge}, {1}), "out of range"},
      {tensor(0, std::vector<int64_t>(20, 1), std::vector<int64_t>(20, 1)),
       "short tuple"},
      {storage({.elements = -1}), "-1 elements"},
      {storage({.elements = kHuge}), "elements"},
      {storage({.elements = 7}), "expected 7 elements"},
      {storage({.type = "DoubleStorage"}), "DoubleStorage"},
      {storage({.type = "LongStorage", .elements = 3}), "floating-point"},
      {storage({.type = "ComplexFloatStorage"}), "refuses"},
      {storage({.key = "../0"}), "no entry"},
      {storage({.key = "9"}), "no entry"},
      {StateOf(Text("text")), "expected a tensor, found a str"},
      {StateOf("N"), "expected a tensor, found a None"},
      {StateOf("ctorch._utils\n_rebuild_tensor_v2\n)R"), "arguments"},
      {StateOf("ctorch._utils\n_rebuild_parameter\n)R"), "found a object"},
      {StateOf("ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR"), "arguments"},
      {"\x80\x02}"s + "K\1N" + "s.", "no string"},
      {"\x80\x02].", "found a list"},
      {"\x80\x02N.", "found a None"},
      {"\x80\x02}.", "no tensors"},
      {"\x80\x02}"s + Text("model") + "}s.", "no tensors"},
      {StateOf("NQ"), "does not describe a storage"},
      {StateOf(")Q"), "does not describe a storage"},
      {GoodState() + "N.", "data.pkl: expected its end"},
      {GoodState().substr(0, 40), "pickle, byte"},
      // Two tensors, one name; two tensors that differ about one storage.
      {"\x80\x02}("s + Text("w") + Tensor(Storage().Pickled(), 0, {6}, {1}) +
           Text("w") + Tensor(Storage().Pickled(), 0, {6}, {1}) + "u.",
       "is there twice"},
      {"\x80\x02}("s + Text("w") + Tensor(Storage().Pickled(), 0, {6}, {1}) +
           Text("v") + Tensor(Storage{.elements = 5}.Pickled(), 0, {5}, {1}) +
           "u.",
       "in another"},
  };
  for (const auto& [pickle, message] : kCases) {
    EXPECT_THAT(MessageFor(ZipOf(GoodEntries(pickle))), HasSubstr(message));
  }
}

TEST(TorchHostileTest, AWrapperThatHoldsItselfEnds) {
  EXPECT_NE(
      MessageFor(ZipOf(GoodEntries("\x80\x02}q\1"s + Text("model") + "h\1s."))),
      "");
}

TEST(TorchHostileTest, Archives) {
  const Entries good = GoodEntries(GoodState());
  const auto with = [&](std::pair<std::string, std::string> entry) {
    Entries entries = good;
    entries.push_back(std::move(entry));
    return MessageFor(ZipOf(entries));
  };
  const auto version = [&](const std::string& text) {
    Entries entries = good;
    entries.back().second = text;
    return MessageFor(ZipOf(entries));
  };
  EXPECT_THAT(with({"a/data/0", "again"}), HasSubstr("already exists"));
  EXPECT_THAT(with({"a/byteorder", "big"}), HasSubstr("byte order"));
  EXPECT_THAT(with({"a/alexnet.json", "{}"}), HasSubstr("model metadata"));
  for (const char* text : {"", "0\n", "11\n", "-3", "3x", "99999999999999"}) {
    EXPECT_THAT(version(text), HasSubstr("version")) << text;
  }
  EXPECT_THAT(MessageFor(ZipOf({{"data.pkl", GoodState()}})),
              HasSubstr("not of torch.save"));
  EXPECT_THAT(MessageFor(ZipOf({{"b/x", ""}, {"a/data.pkl", GoodState()}})),
              HasSubstr("not of torch.save"));
  EXPECT_THAT(MessageFor(ZipOf({good[0], good[1]})), HasSubstr("version"));
  Entries shorter = good;
  shorter[1].second.pop_back();
  EXPECT_THAT(MessageFor(ZipOf(shorter)), HasSubstr("found 23 bytes"));
}

// Replaces `from` where it stands in the file's own header (0) or in the
// directory (1).
std::string Damage(std::string bytes, const std::string& from,
                   const std::string& to, int occurrence) {
  size_t at = bytes.find(from);
  for (int i = 0; i < occurrence; ++i) at = bytes.find(from, at + 1);
  return bytes.replace(at, to.size(), to);
}

TEST(TorchHostileTest, ArchiveHeadersThatLie) {
  const std::string good = ZipOf(GoodEntries(GoodState()));
  EXPECT_NE(MessageFor(Damage(good, "a/data/0", "a/data/1", 0)), "");
  EXPECT_NE(MessageFor(Damage(good, "a/data/0", "a/data/1", 1)), "");
  // A directory entry: 8 flags, 10 method, 16 CRC, 20 and 24 sizes, 42 place.
  const size_t directory = good.find("PK\1\2", good.find("PK\1\2") + 1);
  for (const size_t field : {8, 10, 16, 20, 24, 42}) {
    std::string bad = good;
    bad[directory + field] = static_cast<char>(bad[directory + field] ^ 1);
    EXPECT_NE(MessageFor(bad), "") << field;
  }
  // Its own header: 28 the length of the filling after the name.
  const size_t name = good.find("a/data/0");
  const auto filling = LoadLittle<uint16_t>(Bytes(good).subspan(name - 2));
  std::string payload = good;
  payload[name + std::strlen("a/data/0") + filling] = 1;
  EXPECT_THAT(MessageFor(payload), HasSubstr("CRC"));
}

TEST(TorchHostileTest, DeflateWithinBounds) {
  for (const bool bomb : {false, true}) {
    const TempFile file(".pth", ZipOf(GoodEntries(GoodState())));
    const std::string data(bomb ? 100 << 20 : 24, '\0');
    zip_t* zip = zip_open(file.path().c_str(), 0, nullptr);
    ASSERT_NE(zip, nullptr);
    const auto index = zip_name_locate(zip, "a/data/0", 0);
    zip_file_replace(zip, static_cast<uint64_t>(index),
                     zip_source_buffer(zip, data.data(), data.size(), 0), 0);
    zip_set_file_compression(zip, static_cast<uint64_t>(index), ZIP_CM_DEFLATE,
                             9);
    ASSERT_EQ(zip_close(zip), 0);
    const auto message = ErrorOf([&] { ReadEverything(file.path()); });
    if (bomb) {
      EXPECT_THAT(message, HasSubstr("claim to be"));
    } else {
      EXPECT_EQ(message, "");
    }
  }
}

TEST(TorchHostileTest, LegacyLies) {
  const std::string good = ReadAll(GoldenPath("torch113_legacy_plain.pth"));
  EXPECT_EQ(MessageFor(good), "");
  const std::string magic = "\x6c\xfc\x9c\x46";
  EXPECT_THAT(MessageFor(Damage(good, magic, "\x6d", 0)),
              HasSubstr("not of torch.save"));
  EXPECT_THAT(MessageFor(Damage(good, "M\xe9\x03", "M\xe8", 0)),
              HasSubstr("protocol version 1001"));
  const size_t endian = good.find("little_endian");
  std::string big = good;
  big[good.find('\x88', endian)] = '\x89';
  EXPECT_THAT(MessageFor(big), HasSubstr("little-endian"));
  // The last storage is classifier.1.bias or another; its count stands before
  // its values. Every count is wrong in one file.
  const size_t last_pickle = good.rfind("e.");
  std::string count = good;
  count[last_pickle + 2] = static_cast<char>(count[last_pickle + 2] + 1);
  EXPECT_THAT(MessageFor(count), HasSubstr("elements, found"));
  EXPECT_THAT(MessageFor(good + good), HasSubstr("expected the end"));
}

}  // namespace
}  // namespace alexnet
