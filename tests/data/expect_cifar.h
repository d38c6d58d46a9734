// SPDX-License-Identifier: MIT
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

#include "alexnet/dataset.h"
#include "data/cifar_files.h"

namespace alexnet::testing {

// The set is what cifar_files.h describes, in file order.
inline void ExpectCifar(const Dataset& data, Split split) {
  EXPECT_EQ(data.image_shape(), (Shape3{3, 32, 32}));
  EXPECT_THAT(
      data.class_names(),
      ::testing::ElementsAre("airplane", "automobile", "bird", "cat", "deer",
                             "dog", "frog", "horse", "ship", "truck"));
  const ImageView staged = data.staged_view();
  int64_t index = 0;
  for (int file = split == Split::kTest ? 0 : 1;
       file <= (split == Split::kTest ? 0 : 5); ++file) {
    for (int i = 0; i < CifarImages(file); ++i, ++index) {
      ASSERT_LT(index, data.size());
      EXPECT_EQ(data.label(index), CifarLabel(file, i));
      std::vector<uint8_t> pixels(3072);
      data.Read(index, pixels);
      for (int p = 0; p < 3072; ++p) {
        ASSERT_EQ(pixels[static_cast<size_t>(p)], CifarPixel(file, i, p));
      }
      if (staged.pixels.empty()) continue;
      EXPECT_TRUE(std::equal(pixels.begin(), pixels.end(),
                             staged.pixels.data() + index * 3072));
    }
  }
  EXPECT_EQ(data.size(), index);
  EXPECT_EQ(staged.count(), staged.pixels.empty() ? 0 : index);
}

}  // namespace alexnet::testing
