// SPDX-License-Identifier: MIT
// ReLU, dropout, bias and its gradient.
#include "engine/cuda/device.cuh"

namespace alexnet::cuda {
namespace {

template <class T>
__global__ void ReluForwardKernel(T* x, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    Store(x + i, Relu(Load(x + i)));
  }
}

template <class T>
__global__ void ReluBackwardKernel(T* dy, const T* y, float scale, int64_t n) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    Store(dy + i, ReluGradient(Load(dy + i) * scale, Load(y + i)));
  }
}

// The mask counts elements in C, H, W order, wherever they lie.
template <class T>
__global__ void DropoutKernel(T* x, Dims shape, DropoutMask mask, float scale,
                              SliceOf slice) {
  const int32_t area = shape.area();
  const int64_t n = slice.images * area * shape.channels;
  mask.epoch = slice.step.input->epoch;
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const int32_t at = i / shape.channels % area;
    mask.sample = slice.step.samples[slice.first + i / (area * shape.channels)];
    const bool keep = DropoutKeeps(mask, i % shape.channels * area + at);
    Store(x + i, keep ? Load(x + i) * scale : 0.0F);
  }
}

// The same where four neighbours in C, H, W order, which share a random number,
// are four places of one channel, or four channels of one place. A thread does
// four; those of neighbouring threads lie side by side.
template <class T>
__global__ void DropoutQuadsKernel(T* x, Dims shape, DropoutMask mask,
                                   float scale, Divider by_quads,
                                   SliceOf slice) {
  const int32_t area = shape.area();
  const int32_t quads = shape.channels * area / 4;  // of an image
  const int64_t n = slice.images * quads;
  const int32_t step = area == 1 ? 1 : shape.channels;
  mask.epoch = slice.step.input->epoch;
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    const int32_t image = by_quads.Quotient(i);
    const int32_t quad = i - image * quads;
    const int32_t four = shape.by_channels.Quotient(quad);  // of the places
    const int32_t c = quad - four * shape.channels;
    const int32_t element = area == 1 ? 4 * quad : c * area + 4 * four;
    T* first = x + 4 * image * quads +
               (area == 1 ? element : 4 * four * shape.channels + c);
    mask.sample = slice.step.samples[slice.first + image];
    bool keep[4];
    DropoutKeepsFour(mask, element, keep);
    for (int32_t k = 0; k < 4; ++k) {
      T* at = first + k * step;
      Store(at, keep[k] ? Load(at) * scale : 0.0F);
    }
  }
}

template <class T, int V>
__global__ void AddBiasKernel(Pack<T, V>* x, BiasRelu add, int64_t n,
                              Divider by_packs) {
  for (int32_t i = FirstElement(); i < n; i += Stride()) {
    Pack<T, V> pack = x[i];
    const auto bias = reinterpret_cast<const Pack<float, V>*>(
        add.bias)[by_packs.Remainder(i)];
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float value = Load(pack.x + v) + bias.x[v];
      Store(pack.x + v, add.relu ? Relu(value) : value);
    }
    x[i] = pack;
  }
}

// A block's threads: neighbours take neighbouring packs of channels, and its
// lines rows in turn.
struct BiasGrid {
  BiasGrid(int64_t rows, int64_t packs) {
    // Few rows leave work to few lines: then more blocks share the channels.
    // Lanes beyond the packs have nothing to do; four packs are whole sectors.
    const int64_t most = rows < kThreads ? 8 : 32;
    while (lanes < most && lanes < packs &&
           (lanes < 4 || packs % (2 * lanes) == 0)) {
      lanes *= 2;
    }
    lines = kThreads / lanes;
    columns = (packs + lanes - 1) / lanes;
    parts = std::clamp<int64_t>(rows / (lines * 4), 1,
                                std::max<int64_t>(1, kBiasParts / columns));
  }
  int64_t lanes = 1, lines, columns, parts;
};

// Adds up what the lines of a block have, always in the same order; line 0 gets
// it. `shared` has room for every thread's values.
template <int V>
__device__ void SumLines(float (&sum)[V], Pack<float, V>* shared) {
  const auto lanes = static_cast<int32_t>(blockDim.x);
  Pack<float, V>* mine =
      shared + static_cast<int32_t>(threadIdx.y) * lanes + threadIdx.x;
  __syncthreads();  // the last call's have been read
  for (int v = 0; v < V; ++v) mine->x[v] = sum[v];
  for (auto half = static_cast<int32_t>(blockDim.y / 2); half > 0; half /= 2) {
    __syncthreads();
    if (static_cast<int32_t>(threadIdx.y) >= half) continue;
    for (int v = 0; v < V; ++v) mine->x[v] += mine[half * lanes].x[v];
  }
  for (int v = 0; v < V; ++v) sum[v] = mine->x[v];
}

// Masks and scales a pack of dy.
template <class T, int V>
__device__ void Mask(Pack<T, V>& gradient, const Pack<T, V>& y, float scale) {
#pragma unroll
  for (int v = 0; v < V; ++v) {
    Store(gradient.x + v,
          ReluGradient(Load(gradient.x + v) * scale, Load(y.x + v)));
  }
}

template <class T, int V>
__device__ void AddPack(float (&sum)[V], const Pack<T, V>& pack) {
#pragma unroll
  for (int v = 0; v < V; ++v) sum[v] += Load(pack.x + v);
}

// Masks and scales a row's pack of dy in place, where y is given, and adds it
// to sum; the same with the row that is `next` packs further, if `two`. Their
// loads have no branch, so that all are under way together.
template <class T, int V>
__device__ void SumRows(float (&sum)[V], Pack<T, V>* dy, const Pack<T, V>* y,
                        float scale, int32_t next, bool two) {
  const int32_t second = two ? next : 0;
  Pack<T, V> gradients[2] = {dy[0], dy[second]};
  if (y != nullptr) {
    const Pack<T, V> values[2] = {y[0], y[second]};
    Mask(gradients[0], values[0], scale);
    Mask(gradients[1], values[1], scale);
    dy[0] = gradients[0];
    if (two) dy[next] = gradients[1];
  }
  AddPack(sum, gradients[0]);
  if (two) AddPack(sum, gradients[1]);
}

// The sum of what the blocks have written of a column, for this line's parts;
// several loads are under way together.
template <int V>
__device__ void SumParts(float (&sum)[V], const Pack<float, V>* column,
                         int32_t packs, int32_t count) {
  constexpr int32_t kTogether = 4;
  const auto lines = static_cast<int32_t>(blockDim.y);
  for (auto first = static_cast<int32_t>(threadIdx.y); first < count;
       first += kTogether * lines) {
    Pack<float, V> loaded[kTogether];
#pragma unroll
    for (int32_t k = 0; k < kTogether; ++k) {
      const int32_t part = first + k * lines;
      loaded[k] = column[(part < count ? part : first) * packs];
    }
#pragma unroll
    for (int32_t k = 0; k < kTogether; ++k) {
      if (first + k * lines < count) AddPack(sum, loaded[k]);
    }
  }
}

// A block sums its channels over its part of the rows; the last of those with
// the same channels adds up the parts.
template <class T, int V>
__global__ void BiasGradientKernel(float* dbias, Pack<T, V>* dy,
                                   const Pack<T, V>* y, float scale,
                                   int32_t rows, int32_t packs, bool accumulate,
                                   BiasScratch scratch) {
  __shared__ Pack<float, V> shared[kThreads];
  auto* parts = reinterpret_cast<Pack<float, V>*>(scratch.parts);
  const auto c = static_cast<int32_t>(blockIdx.x * blockDim.x + threadIdx.x);
  const auto line = static_cast<int32_t>(threadIdx.y);
  const auto lines = static_cast<int32_t>(blockDim.y);
  const auto count = static_cast<int32_t>(gridDim.y);
  const auto mine = static_cast<int32_t>(blockIdx.y);
  const bool inside = c < packs;
  float sum[V] = {};
  // Rows in turn, so that the blocks read what lies together together.
  const int32_t turn = count * lines;
  for (int32_t row = mine * lines + line; inside && row < rows;
       row += 2 * turn) {
    const int32_t at = row * packs + c;
    SumRows(sum, dy + at, y == nullptr ? nullptr : y + at, scale, turn * packs,
            row + turn < rows);
  }
  SumLines(sum, shared);
  if (line == 0 && inside) {
    for (int v = 0; v < V; ++v) parts[mine * packs + c].x[v] = sum[v];
  }
  if (!IsLastBlock(scratch.done + blockIdx.x, gridDim.y)) return;
  float total[V] = {};
  if (inside) SumParts(total, parts + c, packs, count);
  SumLines(total, shared);
  if (line != 0 || !inside) return;
  float* out = dbias + c * V;
  for (int v = 0; v < V; ++v)
    out[v] = accumulate ? out[v] + total[v] : total[v];
}

}  // namespace

void ReluForward(void* x, Type type, int64_t n, cudaStream_t stream) {
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("ReluForward", ReluForwardKernel<T>, BlocksFor(n), kThreads, stream,
           static_cast<T*>(x), n);
  });
}

void ReluBackward(void* dy, const void* y, double scale, Type type, int64_t n,
                  cudaStream_t stream) {
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    Launch("ReluBackward", ReluBackwardKernel<T>, BlocksFor(n), kThreads,
           stream, static_cast<T*>(dy), static_cast<const T*>(y),
           static_cast<float>(scale), n);
  });
}

void Dropout(void* x, Type type, const Shape3& shape, const DropoutMask& mask,
             const SliceOf& slice, cudaStream_t stream) {
  if (mask.p == 0) return;
  const int64_t n = slice.images * shape.elements();
  const int64_t area = shape.height * shape.width;
  const auto scale = static_cast<float>(1 / (1 - mask.p));
  const bool quads = (area == 1 ? shape.channels : area) % 4 == 0;
  Dispatch(type, [&](auto t) {
    using T = decltype(t);
    if (quads) {
      Launch("Dropout", DropoutQuadsKernel<T>, BlocksFor(n / 4), kThreads,
             stream, static_cast<T*>(x), Dims(shape), mask, scale,
             Divider(shape.elements() / 4), slice);
    } else {
      Launch("Dropout", DropoutKernel<T>, BlocksFor(n), kThreads, stream,
             static_cast<T*>(x), Dims(shape), mask, scale, slice);
    }
  });
}

void AddBias(void* x, Type type, const BiasRelu& bias, int64_t rows,
             int64_t channels, cudaStream_t stream) {
  DispatchPacks(type, channels, [&](auto t, auto v) {
    using P = Pack<decltype(t), v>;
    const int64_t n = rows * channels / v;
    Launch("AddBias", AddBiasKernel<decltype(t), v>, BlocksFor(n), kThreads,
           stream, static_cast<P*>(x), bias, n, Divider(channels / v));
  });
}

void BiasGradient(float* dbias, void* dy, const void* y, double scale,
                  Type type, int64_t rows, int64_t channels, bool accumulate,
                  const BiasScratch& scratch, cudaStream_t stream) {
  DispatchPacks(type, channels, [&](auto t, auto v) {
    using P = Pack<decltype(t), v>;
    const int64_t packs = channels / v;
    const BiasGrid grid(rows, packs);
    Launch("BiasGradient", BiasGradientKernel<decltype(t), v>,
           dim3(static_cast<unsigned>(grid.columns),
                static_cast<unsigned>(grid.parts)),
           dim3(static_cast<unsigned>(grid.lanes),
                static_cast<unsigned>(grid.lines)),
           stream, dbias, static_cast<P*>(dy), static_cast<const P*>(y),
           static_cast<float>(scale), static_cast<int32_t>(rows),
           static_cast<int32_t>(packs), accumulate, scratch);
  });
}

}  // namespace alexnet::cuda
