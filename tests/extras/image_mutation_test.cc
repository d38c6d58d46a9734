// SPDX-License-Identifier: MIT
// Damaged files give pixels or an Error, and nothing else: no crash, no hang.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "alexnet/error.h"
#include "extras/temp_folder.h"
#include "image/image_codec.h"

namespace alexnet {
namespace {

constexpr int kRounds = 350;

void Damage(std::string& bytes, std::mt19937& random) {
  const auto below = [&random](size_t limit) {
    return static_cast<size_t>(random() % limit);
  };
  const size_t edits = 1 + below(4);
  for (size_t i = 0; i < edits && bytes.size() > 8; ++i) {
    const size_t at = below(bytes.size());
    switch (below(4)) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 2:
        bytes.erase(at, 1 + below(8));
        break;
      default:
        bytes.insert(at, bytes.substr(below(bytes.size()), 1 + below(16)));
    }
  }
}

class Mutations : public testing::TestWithParam<const char*> {};

TEST_P(Mutations, NeverCrash) {
  const std::string name = GetParam();
  const std::string whole =
      FileText(std::filesystem::path(ALEXNET_GOLDEN_DIR) / "extras" / name);
  ASSERT_FALSE(whole.empty());
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string bytes = whole;
    Damage(bytes, random);
    const std::span file(reinterpret_cast<const uint8_t*>(bytes.data()),
                         bytes.size());
    try {
      const Image image =
          name.ends_with(".jpg") ? DecodeJpeg(file) : DecodePng(file);
      ASSERT_EQ(image.rgb.size(),
                static_cast<size_t>(3 * image.width * image.height));
    } catch (const Error& error) {
      ASSERT_STRNE(error.what(), "");
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Goldens, Mutations,
                         testing::Values("ycc_420.jpg", "progressive.jpg",
                                         "restarts.jpg", "cmyk.jpg", "grey.jpg",
                                         "rgb.png", "palette_4.png",
                                         "interlaced.png", "rgb_16.png",
                                         "rgb_key.png"),
                         [](const auto& info) {
                           std::string name = info.param;
                           name[name.find('.')] = '_';
                           return name;
                         });

// Behind a wrong checksum libpng never looks: mend them, so that the damage
// reaches the parts behind.
uint32_t Crc(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1)));
    }
  }
  return ~crc;
}

void MendChecksums(std::string& png) {
  size_t at = 8;
  while (at + 12 <= png.size()) {
    size_t length = 0;
    for (size_t i = 0; i < 4; ++i) {
      length = length << 8 | static_cast<unsigned char>(png[at + i]);
    }
    if (length > png.size() - at - 12) return;
    const uint32_t crc = Crc(std::string_view(png).substr(at + 4, length + 4));
    for (size_t i = 0; i < 4; ++i) {
      png[at + 8 + length + i] = static_cast<char>(crc >> (24 - 8 * i));
    }
    at += 12 + length;
  }
}

TEST(Mutations, NeverCrashWithRightChecksums) {
  std::mt19937 random(2);
  for (const char* name : {"rgb.png", "palette_transparent.png", "gamma.png",
                           "interlaced_grey_2.png", "grey_alpha_16.png"}) {
    const std::string whole =
        FileText(std::filesystem::path(ALEXNET_GOLDEN_DIR) / "extras" / name);
    for (int round = 0; round < kRounds; ++round) {
      std::string bytes = whole;
      // The header is damaged as often as all the rest, but for the height's
      // and width's high bytes: the picture stays small.
      const size_t at = round % 2 == 0 ? 18 + random() % 11
                                       : 33 + random() % (bytes.size() - 33);
      if (at != 20 && at != 21) bytes[at] = static_cast<char>(random());
      MendChecksums(bytes);
      try {
        DecodePng(
            {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
      } catch (const Error& error) {
        ASSERT_STRNE(error.what(), "");
      }
    }
  }
}

}  // namespace
}  // namespace alexnet
