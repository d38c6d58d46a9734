// SPDX-License-Identifier: MIT
// Files that PyTorch wrote, against the values that it read from them.
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "io_test_util.h"

namespace alexnet {
namespace {

using nlohmann::json;
using testing::HasSubstr;

void ExpectTensors(const WeightFile& file, const json& expected) {
  ASSERT_EQ(file.tensors().size(), expected.size());
  for (size_t i = 0; i < file.tensors().size(); ++i) {
    const TensorInfo& info = file.tensors()[i];
    SCOPED_TRACE(info.name);
    const json& tensor = expected.at(info.name);
    EXPECT_EQ(info.shape, tensor.at("shape").get<std::vector<int64_t>>());
    const auto values = ReadTensor(file, i);
    ASSERT_EQ(values.size(), tensor.at("values").size());
    for (size_t j = 0; j < values.size(); ++j) {
      const auto text = tensor["values"][j].get<std::string>();
      EXPECT_EQ(values[j], static_cast<float>(std::stod(text)));
    }
  }
}

class TorchReadTest : public testing::TestWithParam<const char*> {};

TEST_P(TorchReadTest, EveryGoldenFile) {
  const json expected =
      json::parse(ReadAll(GoldenPath(std::string(GetParam()) + ".json")));
  EXPECT_EQ(expected.size(), 14U);
  for (const auto& [name, tensors] : expected.items()) {
    SCOPED_TRACE(name);
    const auto file = OpenWeights(GoldenPath(name));
    const bool legacy = name.find("legacy") != std::string::npos;
    EXPECT_EQ(file->format(), legacy ? "pth (legacy)" : "pth");
    EXPECT_FALSE(file->metadata());
    ExpectTensors(*file, tensors);
  }
}

TEST_P(TorchReadTest, RefusesWholeModulesByName) {
  for (const char* layout : {"_zip_module.pth", "_legacy_module.pth"}) {
    const auto path = GoldenPath(std::string(GetParam()) + layout);
    EXPECT_THAT(
        ErrorOf([&] { OpenWeights(path); }),
        testing::AllOf(HasSubstr("torch.nn.modules.linear.Linear"),
                       HasSubstr("full-model pickle: save state_dict()")));
  }
}

TEST_P(TorchReadTest, RefusesIntegers) {
  for (const char* layout : {"_zip_integers.pth", "_legacy_integers.pth"}) {
    const auto path = GoldenPath(std::string(GetParam()) + layout);
    EXPECT_THAT(ErrorOf([&] { OpenWeights(path); }),
                HasSubstr("tensor 'a': expected floating-point"));
  }
}

TEST_P(TorchReadTest, TruncationAnywhereIsAnError) {
  for (const char* layout : {"_zip_mixed.pth", "_legacy_mixed.pth"}) {
    const auto whole = ReadAll(GoldenPath(std::string(GetParam()) + layout));
    const TempFile file(".pth", whole);
    ReadEverything(file.path());
    for (size_t size = whole.size(); size-- > 0;) {
      std::filesystem::resize_file(file.path(), size);
      EXPECT_NE(ErrorOf([&] { ReadEverything(file.path()); }), "") << size;
    }
  }
}

TEST_P(TorchReadTest, TrailingBytesAreAnError) {
  for (const char* layout : {"_zip_mixed.pth", "_legacy_mixed.pth"}) {
    const auto whole = ReadAll(GoldenPath(std::string(GetParam()) + layout));
    const TempFile file(".pth", whole + "x");
    EXPECT_NE(ErrorOf([&] { ReadEverything(file.path()); }), "") << layout;
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, TorchReadTest,
                         testing::Values("torch113", "torch213"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace alexnet
