// SPDX-License-Identifier: MIT
// Max pooling and response normalisation. Their backwards gather: every
// value of dx is written by one thread, so that there are no atomics and the
// order of the sums is fixed.
#include "engine/cuda/device.cuh"

namespace alexnet::cuda {
namespace {

// An element of an N × H × W × C activation.
struct Place {
  int32_t n, h, w, c;
};

__device__ __forceinline__ Place PlaceOf(int32_t i, const Dims& shape) {
  Place place;
  place.c = i % shape.channels;
  i /= shape.channels;
  place.w = i % shape.width;
  i /= shape.width;
  place.h = i % shape.height;
  place.n = i / shape.height;
  return place;
}

// Kernel R × S, stride and padding as kernels count.
struct Window {
  explicit Window(const MaxPool2dSpec& pool)
      : r(static_cast<int32_t>(pool.kernel.height)),
        s(static_cast<int32_t>(pool.kernel.width)),
        down(static_cast<int32_t>(pool.stride.height)),
        right(static_cast<int32_t>(pool.stride.width)),
        top(static_cast<int32_t>(pool.padding.top)),
        left(static_cast<int32_t>(pool.padding.left)) {}
  int32_t r, s, down, right, top, left;
};

// argmax = r·S + s in the window, which may begin outside the image.
template <class T>
__global__ void PoolForwardKernel(T* y, uint8_t* argmax, Dims y_shape,
                                  const T* x, Dims x_shape, Window window,
                                  int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const Place at = PlaceOf(i, y_shape);
    const int32_t h0 = at.h * window.down - window.top;
    const int32_t w0 = at.w * window.right - window.left;
    float best = 0;
    int32_t best_at = -1;
    for (int32_t r = 0; r < window.r; ++r) {
      const int32_t h = h0 + r;
      if (h < 0 || h >= x_shape.height) continue;
      for (int32_t s = 0; s < window.s; ++s) {
        const int32_t w = w0 + s;
        if (w < 0 || w >= x_shape.width) continue;
        const float value = Load(x + x_shape.At(at.n, h, w, at.c));
        if (best_at < 0 || WinsPooling(value, best)) {
          best = value;
          best_at = r * window.s + s;
        }
      }
    }
    Store(y + i, best);
    argmax[i] = static_cast<uint8_t>(best_at);
  }
}

// The first window that can hold position `at` (with its padding added).
__device__ __forceinline__ int32_t FirstWindow(int32_t at, int32_t kernel,
                                               int32_t stride) {
  return at < kernel ? 0 : (at - kernel) / stride + 1;
}

template <class T>
__global__ void PoolBackwardKernel(T* dx, Dims x_shape, const T* dy,
                                   const uint8_t* argmax, Dims y_shape,
                                   Window window, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const Place at = PlaceOf(i, x_shape);
    const int32_t h = at.h + window.top;
    const int32_t w = at.w + window.left;
    float sum = 0;
    for (int32_t p = FirstWindow(h, window.r, window.down);
         p < y_shape.height && p * window.down <= h; ++p) {
      for (int32_t q = FirstWindow(w, window.s, window.right);
           q < y_shape.width && q * window.right <= w; ++q) {
        const int32_t r = h - p * window.down;
        const int32_t s = w - q * window.right;
        const int32_t out = y_shape.At(at.n, p, q, at.c);
        if (argmax[out] == r * window.s + s) sum += Load(dy + out);
      }
    }
    Store(dx + i, sum);
  }
}

template <class T>
__global__ void NormForwardKernel(T* y, const T* x, NormFormula<float> norm,
                                  int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const int32_t c = i % static_cast<int32_t>(norm.channels);
    const T* pixel = x + (i - c);
    const auto x_at = [&](int64_t d) { return Load(pixel + d); };
    Store(y + i, norm.Forward(c, x_at));
  }
}

template <class T>
__global__ void NormBackwardKernel(T* dx, const T* dy, const T* x,
                                   NormFormula<float> norm, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const int32_t c = i % static_cast<int32_t>(norm.channels);
    const T* pixel = x + (i - c);
    const T* gradient = dy + (i - c);
    const auto x_at = [&](int64_t d) { return Load(pixel + d); };
    const auto dy_at = [&](int64_t d) { return Load(gradient + d); };
    Store(dx + i, norm.Backward(c, x_at, dy_at));
  }
}

// The values of one image's channel by row and column.
template <class T>
struct MapOf {
  __device__ MapOf(const T* values, const Place& at, const Dims& shape)
      : first(values + shape.At(at.n, 0, 0, at.c)),
        width(shape.width),
        channels(shape.channels) {}
  __device__ float operator()(int64_t h, int64_t w) const {
    return Load(first + (h * width + w) * channels);
  }
  const T* first;
  int32_t width, channels;
};

template <class T>
__global__ void MapNormForwardKernel(T* y, const T* x, Dims shape,
                                     MapNormFormula<float> norm, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const Place at = PlaceOf(i, shape);
    Store(y + i, norm.Forward(at.h, at.w, MapOf<T>(x, at, shape)));
  }
}

// Each thread replaces the one value of dy that it reads.
template <class T>
__global__ void MapNormScaleKernel(T* dy, const T* x, Dims shape,
                                   MapNormFormula<float> norm, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const Place at = PlaceOf(i, shape);
    Store(dy + i, norm.Scaled(at.h, at.w, MapOf<T>(x, at, shape),
                              MapOf<T>(dy, at, shape)));
  }
}

template <class T>
__global__ void MapNormBackwardKernel(T* dx, const T* u, const T* x, Dims shape,
                                      MapNormFormula<float> norm, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const Place at = PlaceOf(i, shape);
    Store(dx + i, norm.Backward(at.h, at.w, MapOf<T>(x, at, shape),
                                MapOf<T>(u, at, shape)));
  }
}

}  // namespace

void PoolForward(void* y, uint8_t* argmax, const Shape3& y_shape, const void* x,
                 const Shape3& x_shape, Type type, const MaxPool2dSpec& pool,
                 int64_t images, cudaStream_t stream) {
  const int64_t n = images * y_shape.elements();
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("PoolForward", PoolForwardKernel<T>, BlocksFor(n), kThreads, stream,
           static_cast<T*>(y), argmax, Dims(y_shape), static_cast<const T*>(x),
           Dims(x_shape), Window(pool), n);
  });
}

void PoolBackward(void* dx, const Shape3& x_shape, const void* dy,
                  const uint8_t* argmax, const Shape3& y_shape, Type type,
                  const MaxPool2dSpec& pool, int64_t images,
                  cudaStream_t stream) {
  const int64_t n = images * x_shape.elements();
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("PoolBackward", PoolBackwardKernel<T>, BlocksFor(n), kThreads,
           stream, static_cast<T*>(dx), Dims(x_shape),
           static_cast<const T*>(dy), argmax, Dims(y_shape), Window(pool), n);
  });
}

void NormForward(void* y, const void* x, const Shape3& shape, Type type,
                 const LocalResponseNormSpec& norm, int64_t images,
                 cudaStream_t stream) {
  const int64_t n = images * shape.elements();
  const NormFormula<float> formula(norm, shape.channels);
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("NormForward", NormForwardKernel<T>, BlocksFor(n), kThreads, stream,
           static_cast<T*>(y), static_cast<const T*>(x), formula, n);
  });
}

void NormBackward(void* dx, const void* dy, const void* x, const Shape3& shape,
                  Type type, const LocalResponseNormSpec& norm, int64_t images,
                  cudaStream_t stream) {
  const int64_t n = images * shape.elements();
  const NormFormula<float> formula(norm, shape.channels);
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("NormBackward", NormBackwardKernel<T>, BlocksFor(n), kThreads,
           stream, static_cast<T*>(dx), static_cast<const T*>(dy),
           static_cast<const T*>(x), formula, n);
  });
}

void MapNormForward(void* y, const void* x, const Shape3& shape, Type type,
                    const MapResponseNormSpec& norm, int64_t images,
                    cudaStream_t stream) {
  const int64_t n = images * shape.elements();
  const MapNormFormula<float> formula(norm, shape);
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("MapNormForward", MapNormForwardKernel<T>, BlocksFor(n), kThreads,
           stream, static_cast<T*>(y), static_cast<const T*>(x), Dims(shape),
           formula, n);
  });
}

void MapNormBackward(void* dx, void* dy, const void* x, const Shape3& shape,
                     Type type, const MapResponseNormSpec& norm, int64_t images,
                     cudaStream_t stream) {
  const int64_t n = images * shape.elements();
  const MapNormFormula<float> formula(norm, shape);
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("MapNormScale", MapNormScaleKernel<T>, BlocksFor(n), kThreads,
           stream, static_cast<T*>(dy), static_cast<const T*>(x), Dims(shape),
           formula, n);
    Launch("MapNormBackward", MapNormBackwardKernel<T>, BlocksFor(n), kThreads,
           stream, static_cast<T*>(dx), static_cast<const T*>(dy),
           static_cast<const T*>(x), Dims(shape), formula, n);
  });
}

}  // namespace alexnet::cuda
