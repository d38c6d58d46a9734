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
  const int32_t pixel = shape.by_channels.Quotient(i);
  place.c = i - pixel * shape.channels;
  const int32_t row = shape.by_width.Quotient(pixel);
  place.w = pixel - row * shape.width;
  place.n = shape.by_height.Quotient(row);
  place.h = row - place.n * shape.height;
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
        left(static_cast<int32_t>(pool.padding.left)),
        by_down(down),
        by_right(right) {}
  int32_t r, s, down, right, top, left;
  Divider by_down, by_right;
};

// argmax = r·S + s in the window, which may begin outside the image. Bias and
// ReLU put no value before a larger one, so that they can come after the
// maximum; where rounding the sum makes two values equal, this takes the
// larger, and PyTorch, that adds first, the first. Channels are counted in
// packs. `side`: of the window, where it is known to be that, so that its loads
// are under way together; else 0.
template <class T, int V, int side>
__global__ void PoolForwardKernel(Pack<T, V>* y, Pack<uint8_t, V>* argmax,
                                  Dims y_shape, const Pack<T, V>* x,
                                  Dims x_shape, Window window, BiasRelu add,
                                  int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const Place at = PlaceOf(i, y_shape);
    const int32_t h0 = at.h * window.down - window.top;
    const int32_t w0 = at.w * window.right - window.left;
    float best[V] = {};
    Pack<uint8_t, V> best_at = {};
    bool first = true;
    const auto take = [&](const Pack<T, V>& pack, int32_t place) {
#pragma unroll
      for (int v = 0; v < V; ++v) {
        const float value = Load(pack.x + v);
        if (first || WinsPooling(value, best[v])) {
          best[v] = value;
          best_at.x[v] = static_cast<uint8_t>(place);
        }
      }
      first = false;
    };
    bool whole = false;
    if constexpr (side > 0) {
      whole = h0 >= 0 && w0 >= 0 && h0 + side <= x_shape.height &&
              w0 + side <= x_shape.width;
      if (whole) {
        Pack<T, V> packs[side * side];
#pragma unroll
        for (int32_t k = 0; k < side * side; ++k) {
          packs[k] = x[x_shape.At(at.n, h0 + k / side, w0 + k % side, at.c)];
        }
#pragma unroll
        for (int32_t k = 0; k < side * side; ++k) take(packs[k], k);
      }
    }
    for (int32_t k = 0; !whole && k < window.r * window.s; ++k) {
      const int32_t h = h0 + k / window.s;
      const int32_t w = w0 + k % window.s;
      if (h < 0 || h >= x_shape.height || w < 0 || w >= x_shape.width) continue;
      const Pack<T, V> pack = x[x_shape.At(at.n, h, w, at.c)];
      take(pack, k);
    }
    Pack<float, V> bias = {};
    if (add.bias != nullptr) {
      bias = reinterpret_cast<const Pack<float, V>*>(add.bias)[at.c];
    }
    Pack<T, V> out;
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float value = best[v] + bias.x[v];
      Store(out.x + v, add.relu ? Relu(value) : value);
    }
    y[i] = out;
    argmax[i] = best_at;
  }
}

// The first window that can hold position `at` (with its padding added).
__device__ __forceinline__ int32_t FirstWindow(int32_t at, int32_t kernel,
                                               const Divider& by_stride) {
  return at < kernel ? 0 : by_stride.Quotient(at - kernel) + 1;
}

template <class T, int V>
__global__ void PoolBackwardKernel(Pack<T, V>* dx, Dims x_shape,
                                   const Pack<T, V>* dy,
                                   const Pack<uint8_t, V>* argmax, Dims y_shape,
                                   Window window, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const Place at = PlaceOf(i, x_shape);
    const int32_t h = at.h + window.top;
    const int32_t w = at.w + window.left;
    float sum[V] = {};
    for (int32_t p = FirstWindow(h, window.r, window.by_down);
         p < y_shape.height && p * window.down <= h; ++p) {
      for (int32_t q = FirstWindow(w, window.s, window.by_right);
           q < y_shape.width && q * window.right <= w; ++q) {
        const int32_t place =
            (h - p * window.down) * window.s + w - q * window.right;
        const int32_t out = y_shape.At(at.n, p, q, at.c);
        const Pack<uint8_t, V> chosen = argmax[out];
        const Pack<T, V> gradient = dy[out];
#pragma unroll
        for (int v = 0; v < V; ++v) {
          if (chosen.x[v] == place) sum[v] += Load(gradient.x + v);
        }
      }
    }
    Pack<T, V> made;
#pragma unroll
    for (int v = 0; v < V; ++v) Store(made.x + v, sum[v]);
    dx[i] = made;
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

// A thread's share in its neighbours' gradients is computed once and read by
// them; those of a block's first `after` and last `before` threads are there
// for the others, and other blocks have them again.
template <class T>
__global__ void NormBackwardKernel(T* dx, const T* dy, const T* x,
                                   NormFormula<float> norm, Divider by_channels,
                                   int64_t n) {
  __shared__ float shares[kThreads];
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const auto threads = static_cast<int32_t>(blockDim.x);
  const auto after = static_cast<int32_t>(norm.after);
  const auto before = static_cast<int32_t>(norm.before);
  const int32_t made = threads - after - before;
  const auto blocks = static_cast<int32_t>(gridDim.x);
  for (auto first = static_cast<int32_t>(blockIdx.x) * made; first < n;
       first += blocks * made) {
    const int32_t i = first + thread - after;
    const bool inside = i >= 0 && i < n;
    const int32_t c = inside ? by_channels.Remainder(i) : 0;
    const auto x_at = [&](int64_t d) { return Load(x + (i - c + d)); };
    NormShare<float> share = {};
    if (inside) share = norm.Share(c, x_at, Load(dy + i));
    __syncthreads();  // the last turn's have been read
    shares[thread] = share.others;
    __syncthreads();
    if (!inside || thread < after || thread >= threads - before) continue;
    const auto others = [&](int64_t d) { return shares[thread - c + d]; };
    Store(dx + i, norm.Gradient(c, x_at, share.own, others));
  }
}

// The same for windows that a block's threads do not span.
template <class T>
__global__ void WideNormBackwardKernel(T* dx, const T* dy, const T* x,
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
    const auto row = static_cast<int32_t>(h);
    const auto column = static_cast<int32_t>(w);
    return Load(first + (row * width + column) * channels);
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
                 const BiasRelu& bias, int64_t images, cudaStream_t stream) {
  DispatchPacks(type, y_shape.channels, [&](auto t, auto v) {
    using P = Pack<decltype(t), v>;
    const int64_t n = images * y_shape.elements() / v;
    using T = decltype(t);
    const bool three = pool.kernel == Size2{3, 3};
    Launch("PoolForward",
           three ? PoolForwardKernel<T, v, 3> : PoolForwardKernel<T, v, 0>,
           BlocksFor(n), kThreads, stream, static_cast<P*>(y),
           reinterpret_cast<Pack<uint8_t, v>*>(argmax), Dims(y_shape, v),
           static_cast<const P*>(x), Dims(x_shape, v), Window(pool), bias, n);
  });
}

void PoolBackward(void* dx, const Shape3& x_shape, const void* dy,
                  const uint8_t* argmax, const Shape3& y_shape, Type type,
                  const MaxPool2dSpec& pool, int64_t images,
                  cudaStream_t stream) {
  DispatchPacks(type, y_shape.channels, [&](auto t, auto v) {
    using P = Pack<decltype(t), v>;
    const int64_t n = images * x_shape.elements() / v;
    Launch("PoolBackward", PoolBackwardKernel<decltype(t), v>, BlocksFor(n),
           kThreads, stream, static_cast<P*>(dx), Dims(x_shape, v),
           static_cast<const P*>(dy),
           reinterpret_cast<const Pack<uint8_t, v>*>(argmax), Dims(y_shape, v),
           Window(pool), n);
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
    auto* to = static_cast<T*>(dx);
    const auto* gradient = static_cast<const T*>(dy);
    const auto* from = static_cast<const T*>(x);
    if (norm.size > kThreads / 2) {
      Launch("NormBackward", WideNormBackwardKernel<T>, BlocksFor(n), kThreads,
             stream, to, gradient, from, formula, n);
    } else {
      Launch("NormBackward", NormBackwardKernel<T>, BlocksFor(n), kThreads,
             stream, to, gradient, from, formula, Divider(shape.channels), n);
    }
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
