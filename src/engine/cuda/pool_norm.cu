// SPDX-License-Identifier: MIT
// Max pooling and local response normalisation. Both backwards gather: every
// value of dx is written by one thread, so that there are no atomics and the
// order of the sums is fixed.
#include "engine/cuda/device.cuh"

namespace alexnet::cuda {
namespace {

// An element of an N × H × W × C activation.
struct Place {
  int64_t n, h, w, c;
};

__device__ __forceinline__ Place PlaceOf(int64_t i, const Shape3& shape) {
  Place place;
  place.c = i % shape.channels;
  i /= shape.channels;
  place.w = i % shape.width;
  i /= shape.width;
  place.h = i % shape.height;
  place.n = i / shape.height;
  return place;
}

__device__ __forceinline__ int64_t At(const Shape3& shape, int64_t n, int64_t h,
                                      int64_t w, int64_t c) {
  return ((n * shape.height + h) * shape.width + w) * shape.channels + c;
}

// argmax = r·S + s in the window, which may begin outside the image.
template <class T>
__global__ void PoolForwardKernel(T* y, uint8_t* argmax, Shape3 y_shape,
                                  const T* x, Shape3 x_shape,
                                  MaxPool2dSpec pool, int64_t n) {
  for (int64_t i = FirstElement(); i < n; i += Stride()) {
    const Place at = PlaceOf(i, y_shape);
    const int64_t h0 = at.h * pool.stride.height - pool.padding.top;
    const int64_t w0 = at.w * pool.stride.width - pool.padding.left;
    float best = 0;
    int64_t best_at = -1;
    for (int64_t r = 0; r < pool.kernel.height; ++r) {
      const int64_t h = h0 + r;
      if (h < 0 || h >= x_shape.height) continue;
      for (int64_t s = 0; s < pool.kernel.width; ++s) {
        const int64_t w = w0 + s;
        if (w < 0 || w >= x_shape.width) continue;
        const float value = Load(x + At(x_shape, at.n, h, w, at.c));
        if (best_at < 0 || WinsPooling(value, best)) {
          best = value;
          best_at = r * pool.kernel.width + s;
        }
      }
    }
    Store(y + i, best);
    argmax[i] = static_cast<uint8_t>(best_at);
  }
}

// The first window that can hold position `at` (with its padding added).
__device__ __forceinline__ int64_t FirstWindow(int64_t at, int64_t kernel,
                                               int64_t stride) {
  return at < kernel ? 0 : (at - kernel) / stride + 1;
}

template <class T>
__global__ void PoolBackwardKernel(T* dx, Shape3 x_shape, const T* dy,
                                   const uint8_t* argmax, Shape3 y_shape,
                                   MaxPool2dSpec pool, int64_t n) {
  for (int64_t i = FirstElement(); i < n; i += Stride()) {
    const Place at = PlaceOf(i, x_shape);
    const int64_t h = at.h + pool.padding.top;
    const int64_t w = at.w + pool.padding.left;
    float sum = 0;
    for (int64_t p = FirstWindow(h, pool.kernel.height, pool.stride.height);
         p < y_shape.height && p * pool.stride.height <= h; ++p) {
      for (int64_t q = FirstWindow(w, pool.kernel.width, pool.stride.width);
           q < y_shape.width && q * pool.stride.width <= w; ++q) {
        const int64_t r = h - p * pool.stride.height;
        const int64_t s = w - q * pool.stride.width;
        const int64_t out = At(y_shape, at.n, p, q, at.c);
        if (argmax[out] == r * pool.kernel.width + s) sum += Load(dy + out);
      }
    }
    Store(dx + i, sum);
  }
}

template <class T>
__global__ void NormForwardKernel(T* y, const T* x, NormFormula<float> norm,
                                  int64_t n) {
  for (int64_t i = FirstElement(); i < n; i += Stride()) {
    const int64_t c = i % norm.channels;
    const T* pixel = x + (i - c);
    const auto x_at = [&](int64_t d) { return Load(pixel + d); };
    Store(y + i, norm.Forward(c, x_at));
  }
}

template <class T>
__global__ void NormBackwardKernel(T* dx, const T* dy, const T* x,
                                   NormFormula<float> norm, int64_t n) {
  for (int64_t i = FirstElement(); i < n; i += Stride()) {
    const int64_t c = i % norm.channels;
    const T* pixel = x + (i - c);
    const T* gradient = dy + (i - c);
    const auto x_at = [&](int64_t d) { return Load(pixel + d); };
    const auto dy_at = [&](int64_t d) { return Load(gradient + d); };
    Store(dx + i, norm.Backward(c, x_at, dy_at));
  }
}

}  // namespace

void PoolForward(void* y, uint8_t* argmax, const Shape3& y_shape, const void* x,
                 const Shape3& x_shape, Type type, const MaxPool2dSpec& pool,
                 int64_t images, cudaStream_t stream) {
  const int64_t n = images * y_shape.elements();
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    PoolForwardKernel<<<BlocksFor(n), kThreads, 0, stream>>>(
        static_cast<T*>(y), argmax, y_shape, static_cast<const T*>(x), x_shape,
        pool, n);
  });
  CheckLaunch("PoolForward");
}

void PoolBackward(void* dx, const Shape3& x_shape, const void* dy,
                  const uint8_t* argmax, const Shape3& y_shape, Type type,
                  const MaxPool2dSpec& pool, int64_t images,
                  cudaStream_t stream) {
  const int64_t n = images * x_shape.elements();
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    PoolBackwardKernel<<<BlocksFor(n), kThreads, 0, stream>>>(
        static_cast<T*>(dx), x_shape, static_cast<const T*>(dy), argmax,
        y_shape, pool, n);
  });
  CheckLaunch("PoolBackward");
}

void NormForward(void* y, const void* x, const Shape3& shape, Type type,
                 const LocalResponseNormSpec& norm, int64_t images,
                 cudaStream_t stream) {
  const int64_t n = images * shape.elements();
  const NormFormula<float> formula(norm, shape.channels);
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    NormForwardKernel<<<BlocksFor(n), kThreads, 0, stream>>>(
        static_cast<T*>(y), static_cast<const T*>(x), formula, n);
  });
  CheckLaunch("NormForward");
}

void NormBackward(void* dx, const void* dy, const void* x, const Shape3& shape,
                  Type type, const LocalResponseNormSpec& norm, int64_t images,
                  cudaStream_t stream) {
  const int64_t n = images * shape.elements();
  const NormFormula<float> formula(norm, shape.channels);
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    NormBackwardKernel<<<BlocksFor(n), kThreads, 0, stream>>>(
        static_cast<T*>(dx), static_cast<const T*>(dy),
        static_cast<const T*>(x), formula, n);
  });
  CheckLaunch("NormBackward");
}

}  // namespace alexnet::cuda
