// SPDX-License-Identifier: MIT
// How batches get to the GPU and results back without stalling it: blocks of
// pinned memory, each with an event that says when it is free again.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "alexnet/engine.h"
#include "engine/batch_check.h"
#include "engine/cuda/check.h"
#include "engine/cuda/kernels.h"

namespace alexnet::cuda {

// The step's block: one copy brings all that a step needs but the pixels.
class StepIo {
 public:
  static constexpr int64_t kTickets = 64;

  struct Sizes {
    int64_t places = 0;  // of images
    int64_t classes = 0;
    int64_t parameters = 0;
  };
  explicit StepIo(const Sizes& sizes);

  // On the device, as the kernels take it.
  StepBlock block() const { return On(device_.data(), output_.data()); }

  // Sends `count` images from `first` of the batch on, with labels if asked.
  // `updates` (of every parameter) and epoch may be defaults for inference.
  struct Send {
    const CheckedBatch& checked;
    const Batch& batch;
    const uint8_t* pixels = nullptr;  // on the device
    std::span<const int64_t> indices;
    int64_t first = 0;
    int64_t count = 0;
    bool labels = false;
    int64_t epoch = 0;
    std::span<const UpdateCoefficients> updates = {};
  };
  void Upload(const Send& send, cudaStream_t stream);

  // Asks for the results of what was launched since Begin; they are there once
  // Wait returns.
  void BeginTiming(int64_t ticket, cudaStream_t stream);
  void Download(int64_t ticket, int64_t images, cudaStream_t stream);
  struct Done {
    StepOutput output;
    int64_t images = 0;
    double seconds = 0;
  };
  Done Wait(int64_t ticket);

  int64_t device_bytes() const { return device_.bytes() + output_.bytes(); }
  static int64_t BlockBytes(const Sizes& sizes);

 private:
  static constexpr size_t kUploads = 4;
  struct Result {
    Event begin;
    Event end;
    int64_t images = 0;
  };

  StepBlock On(std::byte* input, std::byte* output) const;
  StepOutput* OutputAt(size_t slot) const {
    return reinterpret_cast<StepOutput*>(outputs_.data()) + slot;
  }

  Sizes sizes_;
  int64_t bytes_;
  DeviceBytes device_;
  DeviceBytes output_;
  std::array<PinnedBytes, kUploads> uploads_;
  std::array<Event, kUploads> uploaded_;
  size_t next_upload_ = 0;
  PinnedBytes outputs_;
  std::array<Result, kTickets> results_;
};

// Pixels that come with the batch: two buffers in turn, copied on a stream of
// their own while the step before is computed.
class PixelStream {
 public:
  PixelStream(int64_t images, int64_t image_bytes);

  // Where the pixels will be for what `stream` does next.
  const uint8_t* Upload(std::span<const uint8_t> pixels, cudaStream_t stream);
  // What was launched on `stream` so far is all that reads them.
  void Used(cudaStream_t stream);

  int64_t device_bytes() const { return 2 * bytes_; }

 private:
  struct Slot {
    PinnedBytes pinned;
    DeviceBytes device;
    Event copied;
    Event used;
  };

  int64_t bytes_;
  Stream copies_;
  std::array<Slot, 2> slots_;
  size_t current_ = 0;
};

}  // namespace alexnet::cuda
