// SPDX-License-Identifier: MIT
#include "data/loader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

#include "alexnet/error.h"

namespace alexnet {
namespace {

// 2 × 1 × 2 images whose bytes tell their index. Counts its reads; one image
// may be broken, and all may take a while.
class FakeDataset : public Dataset {
 public:
  explicit FakeDataset(int64_t size, int64_t broken = -1, int delay_us = 0)
      : size_(size), broken_(broken), delay_us_(delay_us) {}
  int64_t size() const override { return size_; }
  Shape3 image_shape() const override { return {2, 1, 2}; }
  const std::vector<std::string>& class_names() const override {
    return names_;
  }
  int32_t label(int64_t index) const override {
    return static_cast<int32_t>(index % 7);
  }
  void Read(int64_t index, std::span<uint8_t> pixels) const override {
    ++reads_;
    if (delay_us_ > 0) {
      std::this_thread::sleep_for(
          std::chrono::microseconds(delay_us_ * (1 + index % 5)));
    }
    if (index == broken_) throw Error(Concat("image ", index, " is broken"));
    for (size_t i = 0; i < 4; ++i) {
      pixels[i] = static_cast<uint8_t>(index * 4 + static_cast<int64_t>(i));
    }
  }
  int64_t sample_id(int64_t index) const override { return 1000 + index; }
  std::string fingerprint() const override { return "fake"; }
  int64_t reads() const { return reads_; }

 private:
  int64_t size_;
  int64_t broken_;
  int delay_us_;
  std::vector<std::string> names_;
  mutable std::atomic<int64_t> reads_ = 0;
};

std::vector<int64_t> Backwards(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.rbegin(), order.rend(), 0);
  return order;
}

void ExpectBatch(const Batch& batch, std::span<const int64_t> indices) {
  ASSERT_EQ(batch.count(), std::ssize(indices));
  ASSERT_EQ(batch.labels.size(), indices.size());
  ASSERT_EQ(batch.sample_ids.size(), indices.size());
  EXPECT_TRUE(batch.label_probabilities.empty());
  EXPECT_EQ(batch.images.shape, (Shape3{2, 1, 2}));
  for (size_t i = 0; i < indices.size(); ++i) {
    EXPECT_EQ(batch.labels[i], indices[i] % 7);
    EXPECT_EQ(batch.sample_ids[i], 1000 + indices[i]);
    for (size_t j = 0; j < 4; ++j) {
      EXPECT_EQ(batch.images.pixels[i * 4 + j],
                static_cast<uint8_t>(indices[i] * 4 + static_cast<int64_t>(j)));
    }
  }
}

TEST(Loader, BatchesDoNotDependOnTheThreads) {
  const FakeDataset data(61, /*broken=*/-1, /*delay_us=*/30);
  const auto order = Backwards(61);
  for (const int64_t threads : {1, 2, 7, 64}) {
    for (const int64_t batch_size : {1, 7, 8, 61, 100}) {
      Loader loader(
          data, order,
          {.batch_size = batch_size, .threads = threads, .staged = {}});
      int64_t seen = 0;
      while (const Batch* batch = loader.Next()) {
        const auto left = std::span(order).subspan(static_cast<size_t>(seen));
        ExpectBatch(*batch, left.first(std::min(
                                left.size(), static_cast<size_t>(batch_size))));
        seen += batch->count();
      }
      EXPECT_EQ(seen, 61);
      EXPECT_EQ(loader.Next(), nullptr);
    }
  }
}

TEST(Loader, ABatchStaysWholeUntilTheNextCall) {
  const FakeDataset data(100);
  const auto order = Backwards(100);
  Loader loader(data, order, {.batch_size = 5, .threads = 3, .staged = {}});
  for (size_t at = 0; const Batch* batch = loader.Next(); at += 5) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ExpectBatch(*batch, std::span(order).subspan(at, 5));
  }
}

TEST(Loader, StagedBatchesCarryIndicesOnly) {
  const FakeDataset data(10);
  Loader loader(data, {9, 2, 4},
                {.batch_size = 2, .threads = 2, .staged = {.id = 5}});
  const Batch* batch = loader.Next();
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->staged.id, 5);
  EXPECT_TRUE(batch->images.pixels.empty());
  EXPECT_THAT(batch->indices, ::testing::ElementsAre(1009, 1002));
  EXPECT_THAT(batch->sample_ids, ::testing::ElementsAre(1009, 1002));
  EXPECT_THAT(batch->labels, ::testing::ElementsAre(2, 2));
  batch = loader.Next();
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->count(), 1);
  EXPECT_EQ(loader.Next(), nullptr);
  EXPECT_EQ(data.reads(), 0);
}

TEST(Loader, ReusesItsMemory) {
  const FakeDataset data(400);
  Loader loader(data, Backwards(400),
                {.batch_size = 4, .threads = 2, .staged = {}});
  std::set<const uint8_t*> buffers;
  while (const Batch* batch = loader.Next()) {
    buffers.insert(batch->images.pixels.data());
  }
  EXPECT_LE(buffers.size(), 4U);
}

TEST(Loader, ReadsNoFurtherThanItsBuffers) {
  const FakeDataset data(400);
  Loader loader(data, Backwards(400),
                {.batch_size = 4, .threads = 2, .staged = {}});
  loader.Next();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_LE(data.reads(), 4 * 4);
}

TEST(Loader, EndsCleanlyWhenLeftEarly) {
  const FakeDataset data(1000, /*broken=*/-1, /*delay_us=*/20);
  for (int batches = 0; batches < 6; ++batches) {
    for (const int64_t threads : {1, 2, 7}) {
      Loader loader(data, Backwards(1000),
                    {.batch_size = 3, .threads = threads, .staged = {}});
      for (int i = 0; i < batches; ++i) loader.Next();
    }
  }
}

TEST(Loader, ThrowsWhereTheBrokenBatchWouldBe) {
  const FakeDataset data(20, /*broken=*/9);
  const auto order = EpochOrder(20, /*shuffle=*/false, 0, 0);
  for (const int64_t threads : {1, 2, 7}) {
    Loader loader(data, order,
                  {.batch_size = 4, .threads = threads, .staged = {}});
    for (size_t batch = 0; batch < 5; ++batch) {
      if (batch == 2) {
        EXPECT_THROW(loader.Next(), Error);
      } else {
        const Batch* next = loader.Next();
        ASSERT_NE(next, nullptr);
        ExpectBatch(*next, std::span(order).subspan(batch * 4, 4));
      }
    }
    EXPECT_EQ(loader.Next(), nullptr);
  }
}

TEST(Loader, AnErrorThatNobodyAsksForIsDropped) {
  const FakeDataset data(20, /*broken=*/0);
  const Loader loader(data, EpochOrder(20, false, 0, 0), {});
}

TEST(Loader, TellsHowLongItWaited) {
  const FakeDataset data(4, /*broken=*/-1, /*delay_us=*/2000);
  Loader loader(data, {0}, {.batch_size = 1, .threads = 1, .staged = {}});
  EXPECT_EQ(loader.wait_seconds(), 0);
  loader.Next();
  EXPECT_GE(loader.wait_seconds(), 0);
  EXPECT_EQ(loader.Next(), nullptr);
  EXPECT_EQ(loader.wait_seconds(), 0);
}

TEST(Loader, AnEmptyOrderEndsAtOnce) {
  const FakeDataset data(4);
  Loader loader(data, {}, {});
  EXPECT_EQ(loader.Next(), nullptr);
}

TEST(Loader, RefusesArgumentsThatMakeNoSense) {
  const FakeDataset data(4);
  EXPECT_THROW(Loader(data, {0}, {.batch_size = 0, .threads = 1, .staged = {}}),
               UsageError);
  EXPECT_THROW(Loader(data, {0}, {.batch_size = 1, .threads = 0, .staged = {}}),
               UsageError);
  EXPECT_THROW(
      Loader(data, {0}, {.batch_size = 1, .threads = 1000, .staged = {}}),
      UsageError);
  EXPECT_THROW(Loader(data, {4}, {}), UsageError);
  EXPECT_THROW(Loader(data, {-1}, {}), UsageError);
}

}  // namespace
}  // namespace alexnet
