// SPDX-License-Identifier: MIT
// Convolution as the formula says, in float32 sums: for shapes that cuDNN has
// no deterministic kernel for (odd channel counts, lopsided padding).
#include "engine/cuda/device.cuh"

namespace alexnet::cuda {
namespace {

// Channels of one group, and the index helpers of the three tensors.
struct Geometry {
  explicit Geometry(const DirectConv& direct)
      : conv(direct.conv),
        x(direct.x),
        y(direct.y),
        c_group(conv.in_channels / conv.groups),
        k_group(conv.out_channels / conv.groups) {}

  __device__ int64_t X(int64_t n, int64_t h, int64_t w, int64_t c) const {
    return ((n * x.height + h) * x.width + w) * x.channels + c;
  }
  __device__ int64_t Y(int64_t n, int64_t p, int64_t q, int64_t k) const {
    return ((n * y.height + p) * y.width + q) * y.channels + k;
  }
  __device__ int64_t W(int64_t k, int64_t r, int64_t s, int64_t c) const {
    return ((k * conv.kernel.height + r) * conv.kernel.width + s) * c_group + c;
  }

  Conv2dSpec conv;
  Shape3 x;
  Shape3 y;
  int64_t c_group;
  int64_t k_group;
};

template <class T>
__global__ void ForwardKernel(T* y, const T* x, const T* w, Geometry g,
                              int64_t n_outputs) {
  for (int32_t i = FirstElement(); i < n_outputs; i += Stride()) {
    const int64_t k = i % g.y.channels;
    const int64_t q = i / g.y.channels % g.y.width;
    const int64_t p = i / (g.y.channels * g.y.width) % g.y.height;
    const int64_t n = i / g.y.elements();
    const int64_t c0 = k / g.k_group * g.c_group;
    float sum = 0;
    for (int64_t r = 0; r < g.conv.kernel.height; ++r) {
      const int64_t h = p * g.conv.stride.height + r - g.conv.padding.top;
      if (h < 0 || h >= g.x.height) continue;
      for (int64_t s = 0; s < g.conv.kernel.width; ++s) {
        const int64_t v = q * g.conv.stride.width + s - g.conv.padding.left;
        if (v < 0 || v >= g.x.width) continue;
        for (int64_t c = 0; c < g.c_group; ++c) {
          sum += Load(x + g.X(n, h, v, c0 + c)) * Load(w + g.W(k, r, s, c));
        }
      }
    }
    Store(y + i, sum);
  }
}

template <class T>
__global__ void BackwardDataKernel(T* dx, const T* dy, const T* w, Geometry g,
                                   int64_t n_inputs) {
  for (int32_t i = FirstElement(); i < n_inputs; i += Stride()) {
    const int64_t channel = i % g.x.channels;
    const int64_t v = i / g.x.channels % g.x.width;
    const int64_t h = i / (g.x.channels * g.x.width) % g.x.height;
    const int64_t n = i / g.x.elements();
    const int64_t c = channel % g.c_group;
    const int64_t k0 = channel / g.c_group * g.k_group;
    float sum = 0;
    for (int64_t r = 0; r < g.conv.kernel.height; ++r) {
      const int64_t up = h + g.conv.padding.top - r;
      const int64_t p = up / g.conv.stride.height;
      if (up < 0 || up % g.conv.stride.height != 0 || p >= g.y.height) continue;
      for (int64_t s = 0; s < g.conv.kernel.width; ++s) {
        const int64_t left = v + g.conv.padding.left - s;
        const int64_t q = left / g.conv.stride.width;
        if (left < 0 || left % g.conv.stride.width != 0 || q >= g.y.width) {
          continue;
        }
        for (int64_t k = k0; k < k0 + g.k_group; ++k) {
          sum += Load(dy + g.Y(n, p, q, k)) * Load(w + g.W(k, r, s, c));
        }
      }
    }
    Store(dx + i, sum);
  }
}

// A block for each weight; its threads share the images and positions.
template <class T>
__global__ void BackwardWeightsKernel(float* dw, const T* dy, const T* x,
                                      Geometry g, int64_t images) {
  __shared__ float sums[kThreads];
  const int64_t at = blockIdx.x;
  const int64_t c = at % g.c_group;
  const int64_t s = at / g.c_group % g.conv.kernel.width;
  const int64_t r =
      at / (g.c_group * g.conv.kernel.width) % g.conv.kernel.height;
  const int64_t k =
      at / (g.c_group * g.conv.kernel.width * g.conv.kernel.height);
  const int64_t channel = k / g.k_group * g.c_group + c;
  const int64_t area = g.y.height * g.y.width;
  float sum = 0;
  for (int64_t i = threadIdx.x; i < images * area; i += blockDim.x) {
    const int64_t n = i / area;
    const int64_t p = i % area / g.y.width;
    const int64_t q = i % g.y.width;
    const int64_t h = p * g.conv.stride.height + r - g.conv.padding.top;
    const int64_t v = q * g.conv.stride.width + s - g.conv.padding.left;
    if (h < 0 || h >= g.x.height || v < 0 || v >= g.x.width) continue;
    sum += Load(dy + g.Y(n, p, q, k)) * Load(x + g.X(n, h, v, channel));
  }
  const float total = BlockSum(sum, sums);
  if (threadIdx.x == 0) dw[at] = total;
}

}  // namespace

void DirectForward(void* y, const void* x, const void* w,
                   const DirectConv& conv, cudaStream_t stream) {
  const int64_t n = conv.images * conv.y.elements();
  Dispatch(conv.type, [&](auto t) {
    using T = decltype(t);
    Launch("DirectForward", ForwardKernel<T>, BlocksFor(n), kThreads, stream,
           static_cast<T*>(y), static_cast<const T*>(x),
           static_cast<const T*>(w), Geometry(conv), n);
  });
}

void DirectBackwardData(void* dx, const void* dy, const void* w,
                        const DirectConv& conv, cudaStream_t stream) {
  const int64_t n = conv.images * conv.x.elements();
  Dispatch(conv.type, [&](auto t) {
    using T = decltype(t);
    Launch("DirectBackwardData", BackwardDataKernel<T>, BlocksFor(n), kThreads,
           stream, static_cast<T*>(dx), static_cast<const T*>(dy),
           static_cast<const T*>(w), Geometry(conv), n);
  });
}

void DirectBackwardWeights(float* dw, const void* dy, const void* x,
                           const DirectConv& conv, cudaStream_t stream) {
  const int64_t weights = conv.conv.out_channels *
                          (conv.conv.in_channels / conv.conv.groups) *
                          conv.conv.kernel.height * conv.conv.kernel.width;
  Dispatch(conv.type, [&](auto t) {
    using T = decltype(t);
    Launch("DirectBackwardWeights", BackwardWeightsKernel<T>,
           static_cast<unsigned>(weights), kThreads, stream, dw,
           static_cast<const T*>(dy), static_cast<const T*>(x), Geometry(conv),
           conv.images);
  });
}

}  // namespace alexnet::cuda
