// SPDX-License-Identifier: MIT
#include "core/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace alexnet {
namespace {

TEST(ArenaTest, BuffersAliveTogetherNeverShareBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    Arena arena;
    std::vector<int64_t> alive_bytes(20);
    for (int i = 0; i < 30; ++i) {
      const int first = static_cast<int>(random() % 20);
      const int last =
          first + static_cast<int>(random() % (20 - unsigned(first)));
      const int64_t bytes = 1 + static_cast<int64_t>(random() % 100'000);
      arena.Add("x", bytes, first)->UseAt(last);
      for (int t = first; t <= last; ++t) alive_bytes[size_t(t)] += bytes;
    }
    const int64_t planned = arena.Plan();
    EXPECT_GE(planned,
              *std::max_element(alive_bytes.begin(), alive_bytes.end()));
    for (const Buffer& a : arena.buffers()) {
      EXPECT_LE(a.offset + a.bytes, planned);
      EXPECT_EQ(a.offset % Arena::kAlignment, 0);
      for (const Buffer& b : arena.buffers()) {
        if (&a == &b || a.last < b.first || b.last < a.first) continue;
        EXPECT_TRUE(a.offset + a.bytes <= b.offset ||
                    b.offset + b.bytes <= a.offset);
      }
    }
  }
}

TEST(ArenaTest, BuffersOfDifferentTimesShare) {
  Arena arena;
  for (int t = 0; t < 10; ++t) arena.Add("x", 10'000, t);
  EXPECT_EQ(arena.Plan(), 10'000);
}

TEST(ArenaTest, MemoryIsZeroAndWritable) {
  Arena arena;
  Buffer* a = arena.Add("a", 5'000, 0);
  Buffer* b = arena.Add("b", 3 << 20, 0);
  arena.Plan();
  arena.Allocate();
  for (const Buffer* buffer : {a, b}) {
    const auto n = static_cast<size_t>(buffer->bytes);
    EXPECT_EQ(std::count(buffer->data, buffer->data + n, std::byte{0}),
              buffer->bytes);
    std::memset(buffer->data, 1, n);
  }
}

}  // namespace
}  // namespace alexnet
