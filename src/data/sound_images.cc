// SPDX-License-Identifier: MIT
#include "data/sound_images.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "alexnet/error.h"

namespace alexnet {

void ForEachInParallel(int64_t count, int64_t threads,
                       const std::function<void(int64_t)>& work) {
  std::atomic<int64_t> next = 0;
  std::exception_ptr error;
  std::mutex mutex;
  const auto run = [&] {
    try {
      for (int64_t i = next++; i < count; i = next++) work(i);
    } catch (...) {
      next = count;
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int64_t i = 1; i < std::min(threads, count); ++i) {
      others.emplace_back(run);
    }
    run();
  }
  if (error) std::rethrow_exception(error);
}

std::unique_ptr<Dataset> SoundImages(
    std::unique_ptr<Dataset> dataset, int64_t threads,
    const std::function<void(const std::string&)>& say) {
  constexpr size_t kMostTold = 10;
  const auto bytes = static_cast<size_t>(dataset->image_shape().elements());
  std::vector<std::string> reasons(static_cast<size_t>(dataset->size()));
  ForEachInParallel(dataset->size(), threads, [&](int64_t index) {
    std::vector<uint8_t> pixels(bytes);
    // The whole picture, for training may see any part of it.
    const auto whole = [](Size2 size) {
      return Box{0, 0, size.width, size.height};
    };
    try {
      dataset->ReadPart(index, whole, pixels);
    } catch (const Error& error) {
      reasons[static_cast<size_t>(index)] = error.what();
    }
  });
  std::vector<int64_t> sound;
  size_t damaged = 0;
  for (size_t i = 0; i < reasons.size(); ++i) {
    if (reasons[i].empty()) {
      sound.push_back(static_cast<int64_t>(i));
    } else if (++damaged <= kMostTold && say) {
      say("skipped: " + reasons[i]);
    }
  }
  if (damaged == 0) return dataset;
  if (say) {
    say(Concat(damaged, " of ", reasons.size(),
               " pictures are damaged and were skipped"));
  }
  if (sound.empty()) throw Error("none of the pictures can be read");
  return Subset(std::move(dataset), std::move(sound));
}

}  // namespace alexnet
