// SPDX-License-Identifier: MIT
// From bytes at source size to the network's input, and back to planes.
#include "engine/cuda/device.cuh"

namespace alexnet::cuda {
namespace {

// One thread a pixel, all its channels: neighbours write neighbouring bytes.
template <class T>
__global__ void MakeInputKernel(T* out, InputSpec spec, SliceOf slice) {
  const auto channels = static_cast<int32_t>(spec.shape.channels);
  const auto width = static_cast<int32_t>(spec.shape.width);
  const int32_t area = static_cast<int32_t>(spec.shape.height) * width;
  const int64_t plane = spec.source_height * spec.across.in;
  const StepInput& step = *slice.step.input;
  for (int32_t i = FirstElement(); i < slice.images * area; i += Stride()) {
    const int64_t image = slice.first + i / area;
    T* pixel = out + int64_t{i} * channels;
    if (image >= step.count) {
      for (int32_t c = 0; c < channels; ++c) Store(pixel + c, 0.0F);
      continue;
    }
    const int32_t y = i % area / width;
    const int32_t x = i % width;
    const uint8_t* source =
        step.pixels + slice.step.images[image] * channels * plane;
    for (int32_t c = 0; c < channels; ++c) {
      const uint8_t byte =
          ResizedPixel(spec.across, spec.down, source + c * plane, y, x);
      Store(pixel + c, Normalised(byte, spec.mean[c], spec.std[c]));
    }
  }
}

template <class T>
__global__ void ToPlanesKernel(float* out, const T* in, Dims shape, int64_t n) {
  const int32_t area = shape.area();
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const int32_t at = i % area;
    const int32_t c = i / area % shape.channels;
    const int32_t image = i / (area * shape.channels);
    out[i] = Load(in + (image * area + at) * shape.channels + c);
  }
}

}  // namespace

void MakeInput(void* out, Type type, const InputSpec& spec,
               const SliceOf& slice, cudaStream_t stream) {
  const int64_t n = slice.images * spec.shape.height * spec.shape.width;
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("MakeInput", MakeInputKernel<T>, BlocksFor(n), kThreads, stream,
           static_cast<T*>(out), spec, slice);
  });
}

void ToPlanes(float* out, const void* in, Type type, const Shape3& shape,
              int64_t images, cudaStream_t stream) {
  const int64_t n = images * shape.elements();
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("ToPlanes", ToPlanesKernel<T>, BlocksFor(n), kThreads, stream, out,
           static_cast<const T*>(in), Dims(shape), n);
  });
}

}  // namespace alexnet::cuda
