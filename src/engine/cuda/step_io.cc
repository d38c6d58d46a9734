// SPDX-License-Identifier: MIT
#include "engine/cuda/step_io.h"

#include <algorithm>
#include <cstring>

namespace alexnet::cuda {
namespace {

constexpr const char* kPurpose = "step's block";

int64_t Aligned(int64_t bytes) { return (bytes + 15) / 16 * 16; }

struct Offsets {
  explicit Offsets(const StepIo::Sizes& sizes)
      : updates(Aligned(sizeof(StepInput))),
        images(updates + Aligned(sizes.parameters * static_cast<int64_t>(sizeof(
                                                        UpdateCoefficients)))),
        samples(images + Aligned(sizes.places * 8)),
        labels(samples + Aligned(sizes.places * 8)),
        probabilities(labels + Aligned(sizes.places * 4)),
        end(probabilities + Aligned(sizes.places * sizes.classes * 4)) {}
  int64_t updates, images, samples, labels, probabilities, end;
};

}  // namespace

int64_t StepIo::BlockBytes(const Sizes& sizes) { return Offsets(sizes).end; }

StepIo::StepIo(const Sizes& sizes)
    : sizes_(sizes),
      bytes_(BlockBytes(sizes)),
      device_(bytes_, kPurpose),
      output_(sizeof(StepOutput), kPurpose),
      outputs_(kTickets * static_cast<int64_t>(sizeof(StepOutput)), kPurpose) {
  for (size_t i = 0; i < kUploads; ++i) {
    uploads_[i] = PinnedBytes(bytes_, kPurpose);
    uploaded_[i] = MakeEvent();
  }
  for (Result& result : results_) {
    result.begin = MakeEvent(cudaEventDefault);
    result.end = MakeEvent(cudaEventDefault);
  }
}

StepBlock StepIo::On(std::byte* input, std::byte* output) const {
  const Offsets at(sizes_);
  return {
      .input = reinterpret_cast<const StepInput*>(input),
      .updates =
          reinterpret_cast<const UpdateCoefficients*>(input + at.updates),
      .images = reinterpret_cast<const int64_t*>(input + at.images),
      .samples = reinterpret_cast<const int64_t*>(input + at.samples),
      .labels = reinterpret_cast<const int32_t*>(input + at.labels),
      .probabilities = reinterpret_cast<const float*>(input + at.probabilities),
      .output = reinterpret_cast<StepOutput*>(output)};
}

void StepIo::Upload(const Send& send, cudaStream_t stream) {
  const size_t slot = next_upload_++ % kUploads;
  CHECK_CUDA(cudaEventSynchronize(uploaded_[slot].get()), kPurpose);
  std::byte* to = uploads_[slot].data();
  const Offsets at(sizes_);
  const auto first = static_cast<size_t>(send.first);
  const auto count = static_cast<size_t>(send.count);
  const bool soft = send.labels && send.batch.labels.empty();
  const StepInput input = {.pixels = send.pixels,
                           .epoch = send.epoch,
                           .count = static_cast<int32_t>(send.count),
                           .soft_labels = soft ? 1 : 0};
  std::memcpy(to, &input, sizeof(input));
  std::ranges::copy(send.updates,
                    reinterpret_cast<UpdateCoefficients*>(to + at.updates));
  auto* images = reinterpret_cast<int64_t*>(to + at.images);
  auto* samples = reinterpret_cast<int64_t*>(to + at.samples);
  for (size_t i = 0; i < count; ++i) {
    const size_t image = first + i;
    images[i] = send.indices.empty() ? static_cast<int64_t>(image)
                                     : send.indices[image];
    samples[i] = send.checked.sample_id(static_cast<int64_t>(image));
  }
  if (soft) {
    const auto width = static_cast<size_t>(sizes_.classes);
    std::memcpy(to + at.probabilities,
                send.batch.label_probabilities.data() + first * width,
                count * width * sizeof(float));
  } else if (send.labels) {
    std::memcpy(to + at.labels, send.batch.labels.data() + first,
                count * sizeof(int32_t));
  }
  const auto bytes = static_cast<size_t>(soft ? at.end : at.probabilities);
  CHECK_CUDA(cudaMemcpyAsync(device_.data(), to, bytes, cudaMemcpyHostToDevice,
                             stream),
             kPurpose);
  CHECK_CUDA(cudaEventRecord(uploaded_[slot].get(), stream), kPurpose);
}

void StepIo::BeginTiming(int64_t ticket, cudaStream_t stream) {
  Result& result = results_[static_cast<size_t>(ticket % kTickets)];
  CHECK_CUDA(cudaEventRecord(result.begin.get(), stream), kPurpose);
}

void StepIo::Download(int64_t ticket, int64_t images, cudaStream_t stream) {
  const auto slot = static_cast<size_t>(ticket % kTickets);
  results_[slot].images = images;
  CHECK_CUDA(cudaMemcpyAsync(OutputAt(slot), output_.data(), sizeof(StepOutput),
                             cudaMemcpyDeviceToHost, stream),
             "step's result");
  CHECK_CUDA(cudaEventRecord(results_[slot].end.get(), stream),
             "step's result");
}

StepIo::Done StepIo::Wait(int64_t ticket) {
  const auto slot = static_cast<size_t>(ticket % kTickets);
  const Result& result = results_[slot];
  CHECK_CUDA(cudaEventSynchronize(result.end.get()), "step");
  float milliseconds = 0;
  CHECK_CUDA(
      cudaEventElapsedTime(&milliseconds, result.begin.get(), result.end.get()),
      "step's time");
  return {*OutputAt(slot), result.images,
          static_cast<double>(milliseconds) / 1000};
}

PixelStream::PixelStream(int64_t images, int64_t image_bytes)
    : bytes_(images * image_bytes), copies_(MakeStream()) {
  for (Slot& slot : slots_) {
    slot.pinned = PinnedBytes(bytes_, "pixels");
    slot.device = DeviceBytes(bytes_, "pixels");
    slot.copied = MakeEvent();
    slot.used = MakeEvent();
  }
}

const uint8_t* PixelStream::Upload(std::span<const uint8_t> pixels,
                                   cudaStream_t stream) {
  current_ = 1 - current_;
  Slot& slot = slots_[current_];
  ALEXNET_CHECK(std::ssize(pixels) <= bytes_);
  CHECK_CUDA(cudaEventSynchronize(slot.copied.get()), "pixels");
  std::memcpy(slot.pinned.data(), pixels.data(), pixels.size());
  CHECK_CUDA(cudaStreamWaitEvent(copies_.get(), slot.used.get(), 0), "pixels");
  CHECK_CUDA(
      cudaMemcpyAsync(slot.device.data(), slot.pinned.data(), pixels.size(),
                      cudaMemcpyHostToDevice, copies_.get()),
      "pixels");
  CHECK_CUDA(cudaEventRecord(slot.copied.get(), copies_.get()), "pixels");
  CHECK_CUDA(cudaStreamWaitEvent(stream, slot.copied.get(), 0), "pixels");
  return reinterpret_cast<const uint8_t*>(slot.device.data());
}

void PixelStream::Used(cudaStream_t stream) {
  CHECK_CUDA(cudaEventRecord(slots_[current_].used.get(), stream), "pixels");
}

}  // namespace alexnet::cuda
