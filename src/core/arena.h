// SPDX-License-Identifier: MIT
// One allocation for all buffers of a step, planned by their lifetimes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "core/bfloat16.h"

namespace alexnet {

// Zeroed pages from the system; what fills 2 MiB is aligned to that and offered
// to huge pages (a step walks through hundreds of megabytes; small pages cost
// it TLB misses).
class Pages {
 public:
  Pages() = default;
  explicit Pages(int64_t bytes);
  std::byte* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }

 private:
  struct Unmap {
    int64_t bytes;
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Unmap> data_{nullptr, Unmap{}};
  int64_t bytes_ = 0;
};

// A piece of the arena, alive from its first to its last use. Two buffers
// whose lives do not meet may share their bytes.
struct Buffer {
  std::string purpose;
  int64_t bytes = 0;
  int first = 0;  // in ticks of the step's clock
  int last = 0;
  int64_t offset = 0;
  std::byte* data = nullptr;  // set by Arena::Allocate

  float* floats() const { return reinterpret_cast<float*>(data); }
  Bfloat16* bfloats() const { return reinterpret_cast<Bfloat16*>(data); }
  void UseAt(int tick) {
    first = first < tick ? first : tick;
    last = last > tick ? last : tick;
  }
};

class Arena {
 public:
  static constexpr int64_t kAlignment = 4096;

  // The buffer is alive at `tick`; UseAt() extends its life.
  Buffer* Add(std::string purpose, int64_t bytes, int tick);

  // Gives every buffer its place: largest first, each at the lowest offset
  // that no buffer alive at the same time covers. Returns the bytes needed.
  int64_t Plan();

  void Allocate();

  const std::deque<Buffer>& buffers() const { return buffers_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::deque<Buffer> buffers_;  // a deque, so that pointers stay valid
  int64_t bytes_ = 0;
  Pages pages_;
};

}  // namespace alexnet
