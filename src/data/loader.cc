// SPDX-License-Identifier: MIT
// A ring of batches: batch b lies in slot b modulo the number of slots, which
// is what makes the result independent of the number of threads.
#include "data/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "alexnet/error.h"

namespace alexnet {
namespace {

// One batch is with the caller, one is ready for its next call.
constexpr int64_t kSlotsBesideThreads = 2;

struct Slot {
  std::vector<uint8_t> pixels;
  std::vector<int32_t> labels;
  std::vector<float> probabilities;
  std::vector<int64_t> sample_ids;
  Batch batch;
  std::exception_ptr error;
  bool ready = false;  // filled, and not yet released by the caller
};

void CheckArguments(const Dataset& dataset, std::span<const int64_t> order,
                    const LoaderSpec& spec) {
  if (spec.batch_size < 1) {
    throw UsageError(
        Concat("batch size: got ", spec.batch_size, ", expected at least 1"));
  }
  if (spec.threads < 1 || spec.threads > kMaxLoaderThreads) {
    throw UsageError(Concat("loader threads: got ", spec.threads,
                            ", expected 1 to ", kMaxLoaderThreads));
  }
  for (const int64_t index : order) {
    if (index < 0 || index >= dataset.size()) {
      throw UsageError(Concat("loader: image ", index,
                              " asked for, the data set has ", dataset.size()));
    }
  }
}

}  // namespace

class Loader::Impl {
 public:
  Impl(const Dataset& dataset, std::vector<int64_t> order,
       const LoaderSpec& spec)
      : dataset_(dataset),
        order_(std::move(order)),
        spec_(spec),
        mixes_(spec.training_epoch && dataset.mixes_labels()) {
    CheckArguments(dataset_, order_, spec_);
    const int64_t images = std::ssize(order_);
    batches_ = images / spec_.batch_size + (images % spec_.batch_size != 0);
    MakeSlots();
    const int64_t threads = std::min(spec_.threads, batches_);
    for (int64_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this](std::stop_token stop) { Work(stop); });
    }
  }

  const Batch* Next() {
    std::unique_lock lock(mutex_);
    if (given_ > released_) Release();
    wait_seconds_ = 0;
    if (given_ == batches_) return nullptr;
    Slot& slot = SlotOf(given_);
    if (!slot.ready) {
      const auto start = std::chrono::steady_clock::now();
      batch_ready_.wait(lock, [&] { return slot.ready; });
      wait_seconds_ = std::chrono::duration<double>(
                          std::chrono::steady_clock::now() - start)
                          .count();
    }
    ++given_;
    if (slot.error) std::rethrow_exception(std::exchange(slot.error, nullptr));
    return &slot.batch;
  }

  double wait_seconds() const { return wait_seconds_; }

 private:
  void MakeSlots() {
    const auto most = static_cast<size_t>(
        std::min(spec_.batch_size, static_cast<int64_t>(order_.size())));
    const bool staged = spec_.staged.id >= 0;
    slots_.resize(static_cast<size_t>(
        std::min(spec_.threads + kSlotsBesideThreads, batches_)));
    for (Slot& slot : slots_) {
      slot.labels.resize(most);
      slot.sample_ids.resize(most);
      if (mixes_) {
        slot.probabilities.resize(most * static_cast<size_t>(spec_.classes));
      }
      if (staged) continue;
      slot.pixels.resize(
          most * static_cast<size_t>(dataset_.image_shape().elements()));
    }
  }

  Slot& SlotOf(int64_t batch) {
    return slots_[static_cast<size_t>(batch) % slots_.size()];
  }

  // The caller is done with the batch it holds. With the lock held.
  void Release() {
    SlotOf(released_).ready = false;
    ++released_;
    slot_free_.notify_one();
  }

  void Work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (true) {
      const bool more = slot_free_.wait(lock, stop, [&] {
        return started_ == batches_ ||
               started_ - released_ < std::ssize(slots_);
      });
      if (!more || stop.stop_requested() || started_ == batches_) return;
      const int64_t batch = started_++;
      // The last batch may leave other threads waiting for a slot.
      if (started_ == batches_) slot_free_.notify_all();
      Slot& slot = SlotOf(batch);
      lock.unlock();
      try {
        Fill(batch, slot);
      } catch (...) {
        slot.error = std::current_exception();
      }
      lock.lock();
      slot.ready = true;
      batch_ready_.notify_one();
    }
  }

  void Fill(int64_t batch, Slot& slot) const {
    const int64_t first = batch * spec_.batch_size;
    const auto count = static_cast<size_t>(
        std::min(spec_.batch_size, std::ssize(order_) - first));
    const Shape3 shape = dataset_.image_shape();
    const auto bytes = static_cast<size_t>(shape.elements());
    const bool staged = spec_.staged.id >= 0;
    for (size_t i = 0; i < count; ++i) {
      const int64_t index = order_[static_cast<size_t>(first) + i];
      slot.labels[i] = dataset_.label(index);
      slot.sample_ids[i] = dataset_.sample_id(index);
      if (!staged) Read(index, i, slot);
    }
    const std::span labels(slot.labels);
    slot.batch.labels = labels.first(mixes_ ? 0 : count);
    slot.batch.label_probabilities =
        std::span(slot.probabilities)
            .first(mixes_ ? count * static_cast<size_t>(spec_.classes) : 0);
    slot.batch.sample_ids = std::span(slot.sample_ids).first(count);
    if (staged) {
      slot.batch.staged = spec_.staged;
      slot.batch.indices = slot.batch.sample_ids;
    } else {
      slot.batch.images = {std::span(slot.pixels).first(count * bytes), shape};
    }
  }

  // Image `index` as the slot's i-th.
  void Read(int64_t index, size_t i, Slot& slot) const {
    const auto bytes = static_cast<size_t>(dataset_.image_shape().elements());
    const auto pixels = std::span(slot.pixels).subspan(i * bytes, bytes);
    if (!spec_.training_epoch) return dataset_.Read(index, pixels);
    const auto classes = static_cast<size_t>(mixes_ ? spec_.classes : 0);
    dataset_.ReadForTraining(
        index, *spec_.training_epoch, pixels,
        std::span(slot.probabilities).subspan(i * classes, classes));
  }

  const Dataset& dataset_;
  const std::vector<int64_t> order_;
  const LoaderSpec spec_;
  const bool mixes_;
  int64_t batches_ = 0;

  std::mutex mutex_;  // guards what follows, and the slots' `ready`
  std::condition_variable_any slot_free_;
  std::condition_variable_any batch_ready_;
  std::vector<Slot> slots_;
  int64_t started_ = 0;   // batches that a thread has taken on
  int64_t given_ = 0;     // batches that Next() has returned
  int64_t released_ = 0;  // batches that the caller is done with
  double wait_seconds_ = 0;

  std::vector<std::jthread> threads_;  // last: they stop before the rest goes
};

Loader::Loader(const Dataset& dataset, std::vector<int64_t> order,
               const LoaderSpec& spec)
    : impl_(std::make_unique<Impl>(dataset, std::move(order), spec)) {}

Loader::~Loader() = default;

const Batch* Loader::Next() { return impl_->Next(); }

double Loader::wait_seconds() const { return impl_->wait_seconds(); }

}  // namespace alexnet
