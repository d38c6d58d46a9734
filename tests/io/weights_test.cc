// SPDX-License-Identifier: MIT
#include "alexnet/weights.h"

#include <gmock/gmock.h>

#include "io/metadata_json.h"
#include "io_test_util.h"

namespace alexnet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

ModelSpec SmallModel() {
  return {.arch = "small",
          .input = {3, 2, 2},
          .classes = 2,
          .layers = {{"0", FlattenSpec{}}, {"1", LinearSpec{12, 2}}}};
}

std::unique_ptr<Engine> SmallEngine() {
  EngineSpec spec;
  spec.model = SmallModel();
  spec.source = {3, 2, 2};
  spec.device = Device::kReference;
  return MakeEngine(spec);
}

TEST(WeightsTest, EngineToFileAndBack) {
  for (const char* extension : {".pth", ".pt", ".safetensors"}) {
    const TempFile file(extension);
    const auto engine = SmallEngine();
    Initialize(*engine, 5);
    const auto source = ParametersOf(*engine);
    SaveWeights(file.path(), *source, SmallMetadata());
    const auto opened = OpenWeights(file.path());
    ASSERT_TRUE(opened->metadata()) << extension;
    EXPECT_EQ(opened->metadata()->class_names, SmallMetadata().class_names);
    const auto other = SmallEngine();
    LoadParameters(*other, *opened, file.path());
    ExpectSame(*ParametersOf(*other), *source);
  }
}

TEST(WeightsTest, OtherExtensionsAreAUsageError) {
  EXPECT_THROW(SaveWeights("x.bin", SmallSource(), {}), UsageError);
}

TEST(WeightsTest, MismatchesAreListed) {
  const auto engine = SmallEngine();
  VectorSource source;
  source.Add({"1.weight", {12, 2}}, std::vector<float>(24));
  source.Add({"2.weight", {1}}, {1});
  EXPECT_THAT(
      ErrorOf([&] { LoadParameters(*engine, source, "file"); }),
      AllOf(HasSubstr("file: does not fit the model small"),
            HasSubstr("1.weight: expected 2×12, found 12×2"),
            HasSubstr("missing: 1.bias"), HasSubstr("unexpected: '2.weight'")));
  for (int i = 0; i < 100; ++i) source.Add({Concat("x", i), {1}}, {1});
  EXPECT_THAT(ErrorOf([&] { LoadParameters(*engine, source, "file"); }),
              HasSubstr("and 93 more"));
}

TEST(WeightsTest, UnknownContent) {
  const auto message = [](const std::string& bytes) {
    const TempFile file("", bytes);
    return ErrorOf([&] { OpenWeights(file.path()); });
  };
  EXPECT_THAT(message("hello\x1b there"), HasSubstr("begins with 'hello\\x1b"));
  std::string tar(512, 'x');
  tar.replace(257, 5, "ustar");
  EXPECT_THAT(message(tar), HasSubstr("tar archive"));
  const TempFile empty("");
  WriteAll(empty.path(), "");
  EXPECT_THAT(ErrorOf([&] { OpenWeights(empty.path()); }),
              HasSubstr("an empty file"));
  EXPECT_THAT(ErrorOf([] { OpenWeights("/nonexistent/x.pth"); }),
              HasSubstr("No such file"));
}

TEST(MetadataJsonTest, RoundTrip) {
  const auto back = ParseModelMetadata(ToJson(SmallMetadata()), "file");
  EXPECT_EQ(back.arch, "note");
  EXPECT_EQ(back.input, SmallMetadata().input);
  EXPECT_EQ(back.class_names, SmallMetadata().class_names);
  EXPECT_EQ(back.transform, SmallMetadata().transform);
}

TEST(MetadataJsonTest, EveryValueIsChecked) {
  const std::string good = ToJson(SmallMetadata());
  const auto message = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    return ErrorOf([&] { ParseModelMetadata(text, "file"); });
  };
  EXPECT_THAT(message("\"format_version\":1", "\"format_version\":2"),
              HasSubstr("format_version 2 is newer"));
  for (const auto& [from, to] :
       std::vector<std::pair<const char*, const char*>>{
           {"\"format_version\":1", "\"format_version\":0"},
           {"\"format_version\":1", "\"format_version\":\"1\""},
           {"\"format_version\":1,", ""},
           {"\"arch\":\"note\"", "\"arch\":7"},
           {"[3,227,227]", "[3,227]"},
           {"[3,227,227]", "[3,0,227]"},
           {"[3,227,227]", "[3,-1,227]"},
           {"[3,227,227]", "[3,65537,227]"},
           {"[3,227,227]", "{}"},
           {"[\"cat\"", "[1"},
           {"\"std\":[0.", "\"std\":[-0."},
           {"\"std\":[0.", "\"std\":[1e99,0."},
           {"\"std\":[0.", "\"std\":[1,0."},
           {"\"mean\":", "\"mean\":1,\"x\":"},
           {"\"mean\":", "\"pictures\":{},\"mean\":"},
           {"\"mean\":",
            "\"pictures\":{\"size\":-1,\"shorter_edge\":0,\"patch\":0},"
            "\"mean\":"},
           {"\"mean\":",
            "\"pictures\":{\"size\":16385,\"shorter_edge\":0,\"patch\":0},"
            "\"mean\":"},
           {"\"mean\":",
            "\"pictures\":{\"size\":256,\"shorter_edge\":255,\"patch\":0},"
            "\"mean\":"},
           {"\"mean\":",
            "\"pictures\":{\"size\":256,\"shorter_edge\":0,\"patch\":300},"
            "\"mean\":"},
           {"{", "{{"}}) {
    EXPECT_THAT(message(from, to), HasSubstr("file: model metadata: ")) << to;
  }
}

TEST(Metadata, TellsHowPicturesAreMadeReady) {
  ModelMetadata metadata = SmallMetadata();
  EXPECT_EQ(ToJson(metadata).find("pictures"), std::string::npos);
  metadata.pictures = {.size = 256, .shorter_edge = 300, .patch = 224};
  EXPECT_EQ(ParseModelMetadata(ToJson(metadata), "file").pictures,
            metadata.pictures);
  // The largest that training takes.
  metadata.pictures = {.size = 16384, .shorter_edge = 16384, .patch = 16384};
  EXPECT_EQ(ParseModelMetadata(ToJson(metadata), "file").pictures,
            metadata.pictures);
}

}  // namespace
}  // namespace alexnet
