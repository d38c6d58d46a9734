// SPDX-License-Identifier: MIT
#include "core/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "alexnet/error.h"

namespace alexnet {
namespace {

constexpr int64_t kPage = 4096;
constexpr int64_t kHugePage = int64_t{2} << 20;

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

bool Meet(const Buffer& a, const Buffer& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

Pages::Pages(int64_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  // Ask for more, so that an aligned part can be cut out. A huge page is
  // resident as a whole: none is begun that would not be filled.
  const int64_t alignment = bytes < kHugePage ? kPage : kHugePage;
  const int64_t kept = RoundUp(bytes, kPage);
  const int64_t asked = kept + alignment;
  void* raw = mmap(nullptr, static_cast<size_t>(asked), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) {
    throw Error(Concat("out of memory: ", bytes >> 20,
                       " MiB could not be had: ", std::strerror(errno)));
  }
  const auto address = reinterpret_cast<int64_t>(raw);
  const int64_t aligned = RoundUp(address, alignment);
  if (aligned > address) munmap(raw, static_cast<size_t>(aligned - address));
  const int64_t tail = address + asked - aligned - kept;
  auto* data = reinterpret_cast<std::byte*>(aligned);
  if (tail > 0) munmap(data + kept, static_cast<size_t>(tail));
  const int64_t huge = bytes / kHugePage * kHugePage;
  if (huge > 0) madvise(data, static_cast<size_t>(huge), MADV_HUGEPAGE);
  data_ = std::unique_ptr<std::byte, Unmap>(data, Unmap{kept});
}

void Pages::Unmap::operator()(std::byte* data) const {
  munmap(data, static_cast<size_t>(bytes));
}

Buffer* Arena::Add(std::string purpose, int64_t bytes, int tick) {
  return &buffers_.emplace_back(
      Buffer{std::move(purpose), bytes, tick, tick, 0, nullptr});
}

int64_t Arena::Plan() {
  std::vector<Buffer*> order;
  for (Buffer& buffer : buffers_) order.push_back(&buffer);
  std::stable_sort(
      order.begin(), order.end(),
      [](const Buffer* a, const Buffer* b) { return a->bytes > b->bytes; });
  std::vector<Buffer*> placed;  // by offset
  bytes_ = 0;
  for (Buffer* buffer : order) {
    int64_t offset = 0;
    for (const Buffer* other : placed) {
      if (!Meet(*buffer, *other)) continue;
      if (other->offset >= offset + buffer->bytes) break;
      offset =
          std::max(offset, RoundUp(other->offset + other->bytes, kAlignment));
    }
    buffer->offset = offset;
    bytes_ = std::max(bytes_, offset + buffer->bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), buffer,
                                   [](const Buffer* a, const Buffer* b) {
                                     return a->offset < b->offset;
                                   }),
                  buffer);
  }
  return bytes_;
}

void Arena::Allocate() {
  pages_ = Pages(bytes_);
  for (Buffer& buffer : buffers_) buffer.data = pages_.data() + buffer.offset;
}

}  // namespace alexnet
