// SPDX-License-Identifier: MIT
#include "io/safetensors.h"

#include <gmock/gmock.h>

#include <numeric>

#include "io/bytes.h"
#include "io_test_util.h"

namespace alexnet {
namespace {

using testing::HasSubstr;

std::string FileOf(const std::string& header, const std::string& body) {
  std::string bytes;
  AppendLittle(bytes, uint64_t{header.size()});
  return bytes + header + body;
}

TEST(SafetensorsTest, RoundTrip) {
  const TempFile file(".safetensors");
  const VectorSource source = SmallSource();
  WriteSafetensors(file.path(), source, {{"k", "v \"ü\n"}});
  const SafetensorsFile back(file.path());
  ExpectSame(back, source);
  EXPECT_TRUE(back.has_checksums());
  EXPECT_EQ(back.metadata(), (StringMap{{"format", "pt"}, {"k", "v \"ü\n"}}));
  EXPECT_EQ(LoadLittle<uint64_t>(Bytes(ReadAll(file.path()))) % 8, 0U);
}

// More than a MiB, which is summed while it is written.
TEST(SafetensorsTest, RoundTripOfALargeTensor) {
  std::vector<float> values(300000);
  std::iota(values.begin(), values.end(), 0.5F);
  VectorSource source = SmallSource();
  source.Add({"large", {300, 1000}}, values);
  source.Add({"behind", {1}}, {-1});
  const TempFile file(".safetensors");
  WriteSafetensors(file.path(), source, {});
  const SafetensorsFile back(file.path());
  EXPECT_TRUE(back.has_checksums());
  ExpectSame(back, source);
}

TEST(SafetensorsTest, NoTensors) {
  const TempFile file(".safetensors");
  WriteSafetensors(file.path(), VectorSource(), {});
  EXPECT_TRUE(SafetensorsFile(file.path()).tensors().empty());
}

TEST(SafetensorsTest, ReadsOtherTypesInAnyOrder) {
  const std::string header =
      R"({"d":{"dtype":"F64","shape":[1],"data_offsets":[4,12]},)"
      R"("h":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},)"
      R"("b":{"dtype":"BF16","shape":[1],"data_offsets":[2,4]},)"
      R"("n":{"dtype":"I64","shape":[],"data_offsets":[12,20]}}  )";
  std::string body("\x00\xc1\x20\xc0", 4);
  AppendLittle(body, 0.25);
  AppendLittle(body, int64_t{3});
  const TempFile file("", FileOf(header, body));
  const SafetensorsFile back(file.path());
  ASSERT_EQ(back.tensors().size(), 3U);
  EXPECT_EQ(back.tensors()[0].name, "h");
  EXPECT_EQ(ReadTensor(back, 0)[0], -2.5F);
  EXPECT_EQ(ReadTensor(back, 1)[0], -2.5F);
  EXPECT_EQ(ReadTensor(back, 2)[0], 0.25F);
  EXPECT_FALSE(back.has_checksums());
}

TEST(SafetensorsTest, EveryFlippedBitIsNoticed) {
  const TempFile file(".safetensors");
  WriteSafetensors(file.path(), SmallSource(), {{"key", "value"}});
  const std::string whole = ReadAll(file.path());
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    WriteAll(file.path(), damaged);
    const auto message = ErrorOf([&] {
      const SafetensorsFile back(file.path());
      for (size_t i = 0; i < back.tensors().size(); ++i) ReadTensor(back, i);
    });
    EXPECT_THAT(message, HasSubstr(file.path())) << "bit " << bit;
  }
}

TEST(SafetensorsTest, TruncationAndTrailingBytesAreErrors) {
  const TempFile file(".safetensors");
  WriteSafetensors(file.path(), SmallSource(), {});
  const std::string whole = ReadAll(file.path());
  for (size_t size = 0; size < whole.size(); ++size) {
    WriteAll(file.path(), whole.substr(0, size));
    EXPECT_NE(ErrorOf([&] { SafetensorsFile{file.path()}; }), "") << size;
  }
  WriteAll(file.path(), whole + "x");
  EXPECT_THAT(ErrorOf([&] { SafetensorsFile{file.path()}; }),
              HasSubstr("after the header"));
}

TEST(SafetensorsTest, ReadsWhatThePythonLibraryWrote) {
  const SafetensorsFile file(GoldenPath("mixed.safetensors"));
  EXPECT_EQ(file.metadata(), (StringMap{{"format", "pt"}}));
  std::vector<std::string> names;
  for (const TensorInfo& info : file.tensors()) names.push_back(info.name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("a", "h", "b"));
}

std::string Entry(const std::string& name, const std::string& dtype,
                  const std::string& shape, const std::string& offsets) {
  return Concat('"', name, R"(":{"dtype":")", dtype, R"(","shape":[)", shape,
                R"(],"data_offsets":[)", offsets, "]}");
}

TEST(SafetensorsTest, RefusesEveryBrokenRule) {
  const std::string good = Entry("a", "F32", "2", "0,8");
  struct Case {
    std::string header;
    const char* message;
  };
  const Case kCases[] = {
      {" {}", "begins with {"},
      {"[]", "begins with {"},
      {"{", "not valid JSON"},
      {"{" + good + "}x", "not valid JSON"},
      {"{\"\xff\":{}}", "not valid JSON in UTF-8"},
      {"{" + good + "," + Entry("a", "F32", "0", "8,8") + "}", "twice"},
      {"{" + Entry("a", "F31", "2", "0,8") + "}", "unknown dtype"},
      {"{" + Entry("a", "I64", "1", "0,8") + "}", "expected F32"},
      {"{" + Entry("a", "F32", "3", "0,8") + "}", "does not fit"},
      {"{" + Entry("a", "F32", "2", "0,7") + "}", "does not fit"},
      {"{" + Entry("a", "F32", "-2", "0,8") + "}", "negative"},
      {"{" + Entry("a", "F32", "2.0", "0,8") + "}", "fraction"},
      {"{" + Entry("a", "F32", "1e3", "0,8") + "}", "fraction"},
      {"{" + Entry("a", "F32", "99999999999999999999", "0,8") + "}", "found"},
      {"{" + Entry("a", "F32", "9223372036854775808", "0,8") + "}", "reason"},
      {"{" + Entry("a", "F32", "4294967296,4294967296", "0,8") + "}",
       "does not fit"},
      {"{" + Entry("a", "F32", "4611686018427387906", "0,8") + "}",
       "does not fit"},
      {"{" + Entry("a", "F32", "2", "8,0") + "}", "offsets"},
      {"{" + Entry("a", "F32", "1", "4,8") + "}", "offsets from 0"},
      {"{" + Entry("a", "F32", "1", "0,4") + "," +
           Entry("b", "F32", "2", "0,8") + "}",
       "offsets from 4"},
      {"{" + Entry("a", "F32", "2", "0,8") + "," +
           Entry("b", "F32", "1", "4,8") + "}",
       "offsets from 8"},
      {"{" + Entry("a", "F32", "1", "0,4") + "}", "after the header"},
      {"{" + Entry("a", "F32", "4", "0,16") + "}", "after the header"},
      {"{" + Entry("a", "F32", "2", "0") + "}", "two offsets"},
      {"{" + Entry("a", "F32", "2", "0,8,9") + "}", "a number"},
      {"{" + Entry("a", "F32", "[2]", "0,8") + "}", "an array"},
      {"{" + Entry("a", "F32", "{}", "0,8") + "}", "an object"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "expected dtype"},
      {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", "twice"},
      {"{\"a\":{\"type\":\"F32\"}}", "unknown field"},
      {"{\"a\":{\"dtype\":[]}}", "an array"},
      {"{\"a\":{\"shape\":\"2\"}}", "a string"},
      {"{\"a\":null}", "a null"},
      {"{\"a\":true}", "a boolean"},
      {"{\"a\":[]}", "an array"},
      {"{\"__metadata__\":{\"k\":1}," + good + "}", "a number"},
      {"{\"__metadata__\":{\"k\":{}}," + good + "}", "an object"},
      {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}," + good + "}", "twice"},
      {"{\"__metadata__\":{\"alexnet.crc32.tensors\":\"00000000\"}," + good +
           "}",
       "checksum"},
      {std::string(100'000, '[').insert(0, "{\"a\":"), "an array"},
  };
  for (const Case& bad : kCases) {
    const TempFile file("", FileOf(bad.header, std::string(8, '\0')));
    EXPECT_THAT(ErrorOf([&] { SafetensorsFile{file.path()}; }),
                HasSubstr(bad.message))
        << bad.header.substr(0, 200);
  }
}

TEST(SafetensorsTest, HeaderLengthIsNotTrusted) {
  for (const uint64_t length :
       {uint64_t{100'000'001}, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::string bytes;
    AppendLittle(bytes, length);
    const TempFile file("", bytes + "{}");
    EXPECT_THAT(ErrorOf([&] { SafetensorsFile{file.path()}; }),
                HasSubstr("header length"));
  }
}

TEST(SafetensorsTest, WriterRefuses) {
  VectorSource twice = SmallSource();
  twice.Add({"w", {1}}, {1});
  const auto path = TempPath("");
  EXPECT_THAT(ErrorOf([&] { WriteSafetensors(path, twice, {}); }),
              HasSubstr("two tensors named 'w'"));
  EXPECT_THAT(ErrorOf([&] {
                WriteSafetensors(path, SmallSource(), {{"k", "\xff"}});
              }),
              HasSubstr("UTF-8"));
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace alexnet
