// SPDX-License-Identifier: MIT
#include "io/torch_write.h"

#include "io/bytes.h"
#include "io_test_util.h"

namespace alexnet {
namespace {

TEST(TorchWriteTest, RoundTrip) {
  const TempFile file(".pth");
  const VectorSource source = SmallSource();
  WriteTorch(file.path(), source, SmallMetadata());
  const auto back = OpenWeights(file.path());
  ExpectSame(*back, source);
  ASSERT_TRUE(back->metadata());
  EXPECT_EQ(back->metadata()->arch, "note");
  EXPECT_EQ(back->metadata()->input, SmallMetadata().input);
  EXPECT_EQ(back->metadata()->class_names, SmallMetadata().class_names);
  EXPECT_EQ(back->metadata()->transform, SmallMetadata().transform);
}

TEST(TorchWriteTest, BytesDoNotDependOnTheName) {
  const TempFile a(".pth"), b(".pt");
  WriteTorch(a.path(), SmallSource(), SmallMetadata());
  WriteTorch(b.path(), SmallSource(), SmallMetadata());
  EXPECT_EQ(ReadAll(a.path()), ReadAll(b.path()));
}

TEST(TorchWriteTest, EveryPayloadIsAligned) {
  const TempFile file(".pth");
  WriteTorch(file.path(), SmallSource(), SmallMetadata());
  const std::string bytes = ReadAll(file.path());
  int entries = 0;
  for (size_t at = bytes.find("PK\3\4"); at != std::string::npos;
       at = bytes.find("PK\3\4", at + 4)) {
    const auto name = LoadLittle<uint16_t>(Bytes(bytes).subspan(at + 26));
    const auto extra = LoadLittle<uint16_t>(Bytes(bytes).subspan(at + 28));
    EXPECT_EQ((at + 30 + name + extra) % 64, 0U);
    ++entries;
  }
  EXPECT_EQ(entries, 8);
}

TEST(TorchWriteTest, RefusesTwoOfAName) {
  VectorSource source = SmallSource();
  source.Add({"w", {1}}, {1});
  EXPECT_NE(ErrorOf([&] { WriteTorch(TempPath(".pth"), source, {}); }), "");
}

TEST(TorchWriteTest, TruncationAndDamageAreErrors) {
  const TempFile file(".pth");
  WriteTorch(file.path(), SmallSource(), SmallMetadata());
  const std::string whole = ReadAll(file.path());
  for (size_t size = 0; size < whole.size(); ++size) {
    WriteAll(file.path(), whole.substr(0, size));
    EXPECT_NE(ErrorOf([&] { ReadEverything(file.path()); }), "") << size;
  }
}

}  // namespace
}  // namespace alexnet
