// SPDX-License-Identifier: MIT
// Max pooling, part of kernels-inl.h: vectors of channels, or one channel at a
// time where they fill none. Forward, a window's values are compared in order;
// backward, each place of the map asks the few windows that cover it, so that
// every gradient is written once and its sum has one order.
#pragma once

#include <cstdint>

#include "engine/cpu/kernels.h"
#include "engine/cpu/vector-inl.h"

namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE {
namespace {

// Of a vector's channels …
struct VectorOfChannels {
  static constexpr int64_t kCount = kLanes;
  using Values = Vector;
  typedef int32_t Places __attribute__((vector_size(kLanes * sizeof(int32_t))));
  typedef uint8_t Bytes __attribute__((vector_size(kLanes)));

  static Values LoadValues(const float* from) { return Load(from); }
  static Values LoadValues(const Bfloat16* from) { return Load(from); }
  template <class T>
  static void StoreValues(const Values& values, T* to) {
    Store(values, to);
  }
  static Places LoadPlaces(const int32_t* from) {
    Places places;
    __builtin_memcpy(&places, from, sizeof(places));
    return places;
  }
  static Places LoadPlaces(const uint8_t* from) {
    Bytes bytes;
    __builtin_memcpy(&bytes, from, sizeof(bytes));
    return __builtin_convertvector(bytes, Places);
  }
  static void StorePlaces(const Places& places, int32_t* to) {
    __builtin_memcpy(to, &places, sizeof(places));
  }
  static void StorePlaces(const Places& places, uint8_t* to) {
    const Bytes bytes = __builtin_convertvector(places, Bytes);
    __builtin_memcpy(to, &bytes, sizeof(bytes));
  }
};

// … or of one.
struct OneChannel {
  static constexpr int64_t kCount = 1;
  using Values = float;
  using Places = int32_t;

  static Values LoadValues(const float* from) { return *from; }
  static Values LoadValues(const Bfloat16* from) {
    const uint32_t bits = uint32_t{*from} << 16;
    float value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
  }
  static void StoreValues(float value, float* to) { *to = value; }
  // ToBfloat16 (core/bfloat16.h)
  static void StoreValues(float value, Bfloat16* to) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    const uint32_t nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    *to = static_cast<Bfloat16>(value == value ? nearest : 0x7FC0);
  }
  template <class W>
  static Places LoadPlaces(const W* from) {
    return static_cast<Places>(*from);
  }
  template <class W>
  static void StorePlaces(Places place, W* to) {
    *to = static_cast<W>(place);
  }
};

// The winner where the ReLU lets nothing through: the place of no value.
template <class W>
constexpr int32_t kNone = static_cast<int32_t>(static_cast<W>(-1));

// A window's places inside the map on one side; the window itself begins
// `hidden` places before them.
struct Window {
  int64_t begin;
  int64_t end;
  int64_t hidden;
};

Window WindowAt(const PoolSide& side, int64_t out) {
  const int64_t first = out * side.stride - side.padding;
  const int64_t last = first + side.kernel;
  const int64_t begin = first < 0 ? 0 : first;
  return {begin, last < side.in ? last : side.in, begin - first};
}

// T is the type of the map's values, W of the winners'.
template <class Lane, class T, class W>
void PoolWindow(const MaxPoolWork& work, const Window& rows,
                const Window& columns, const T* map, T* out, W* winners) {
  const MaxPoolShape& shape = work.shape;
  using Places = typename Lane::Places;
  const T* row = map + rows.begin * shape.across.in * shape.lanes;
  auto place =
      static_cast<int32_t>(rows.hidden * shape.across.kernel + columns.hidden);
  auto best = Lane::LoadValues(row + columns.begin * shape.lanes);
  Places winner = Places{} + place;
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    int32_t here = place;
    for (int64_t w = columns.begin; w < columns.end; ++w, ++here) {
      // WinsPooling (engine/formulas.h)
      const auto value = Lane::LoadValues(row + w * shape.lanes);
      const auto wins = (value > best) | (value != value);
      best = wins ? value : best;
      winner = wins ? Places{} + here : winner;
    }
    row += shape.across.in * shape.lanes;
    place += static_cast<int32_t>(shape.across.kernel);
  }
  if (work.relu) {
    winner = best > 0 ? winner : Places{} + kNone<W>;
    best = best < 0 ? decltype(best){} : best;
  }
  Lane::StoreValues(best, out);
  if (winners) Lane::StorePlaces(winner, winners);
}

// One row of outputs.
template <class T, class W>
void PoolRow(const MaxPoolWork& work, int64_t plane, int64_t p) {
  const MaxPoolShape& shape = work.shape;
  const Window rows = WindowAt(shape.down, p);
  const T* map = static_cast<const T*>(work.input) +
                 plane * shape.down.in * shape.across.in * shape.lanes;
  int64_t at = (plane * shape.down.out + p) * shape.across.out * shape.lanes;
  for (int64_t q = 0; q < shape.across.out; ++q, at += shape.lanes) {
    const Window columns = WindowAt(shape.across, q);
    T* out = static_cast<T*>(work.output) + at;
    W* winners = work.winners ? static_cast<W*>(work.winners) + at : nullptr;
    int64_t c = 0;
    for (; c + kLanes <= shape.lanes; c += kLanes) {
      PoolWindow<VectorOfChannels>(work, rows, columns, map + c, out + c,
                                   winners ? winners + c : nullptr);
    }
    for (; c < shape.lanes; ++c) {
      PoolWindow<OneChannel>(work, rows, columns, map + c, out + c,
                             winners ? winners + c : nullptr);
    }
  }
}

// Σ of the gradients of the windows that cover the place (h, w) and that it
// won; `gradient` and `winners` are the plane's.
template <class Lane, class T, class W>
void GatherPlace(const MaxPoolShape& shape, const PoolCover& rows, int64_t h,
                 int64_t w, const T* gradient, const W* winners, T* out) {
  const PoolCover columns = shape.across.covers[w];
  typename Lane::Values sum{};
  for (int32_t p = rows.begin; p < rows.end; ++p) {
    const int64_t r = h + shape.down.padding - p * shape.down.stride;
    for (int32_t q = columns.begin; q < columns.end; ++q) {
      const int64_t s = w + shape.across.padding - q * shape.across.stride;
      const int64_t at = (p * shape.across.out + q) * shape.lanes;
      const auto place = static_cast<int32_t>(r * shape.across.kernel + s);
      const auto term = Lane::LoadValues(gradient + at);
      sum += Lane::LoadPlaces(winners + at) == place ? term : decltype(sum){};
    }
  }
  Lane::StoreValues(sum, out);
}

// AlexNet's windows, three wide and two apart, that fill the width.
bool AreTriples(const PoolSide& across) {
  return across.kernel == 3 && across.stride == 2 && across.padding == 0 &&
         across.in == 2 * across.out + 1;
}

// A row of the input's gradient from kRows rows of such windows: in the first
// it is the row `first_place` / 3, in the next one `down.stride` further up.
// Each window is read once for its three places; the sums have GatherPlace's
// order.
template <int kRows, class Lane, class T, class W>
void GatherTriples(const MaxPoolShape& shape, int32_t first_place,
                   const T* gradient, const W* winners, T* out) {
  using Values = typename Lane::Values;
  const int64_t row = shape.across.out * shape.lanes;
  const auto step = static_cast<int32_t>(3 * shape.down.stride);
  const Values zero{};
  Values shared[kRows] = {};  // with the window before
  for (int64_t q = 0; q < shape.across.out; ++q) {
    Values left{}, middle{};
    for (int i = 0; i < kRows; ++i) {
      const int32_t place = first_place - i * step;
      const auto term = Lane::LoadValues(gradient + i * row);
      const auto winner = Lane::LoadPlaces(winners + i * row);
      left += shared[i];
      left += winner == place ? term : zero;
      middle += winner == place + 1 ? term : zero;
      shared[i] = winner == place + 2 ? term : zero;
    }
    Lane::StoreValues(left, out);
    Lane::StoreValues(middle, out + shape.lanes);
    gradient += shape.lanes;
    winners += shape.lanes;
    out += 2 * shape.lanes;
  }
  Values last{};
  for (const Values& value : shared) last += value;
  Lane::StoreValues(last, out);
}

// One row of the input's gradient, of one vector of channels or one channel.
template <class Lane, class T, class W>
void GatherRowOf(const MaxPoolShape& shape, int64_t h, const T* gradient,
                 const W* winners, T* out) {
  const PoolCover rows = shape.down.covers[h];
  const int32_t count = rows.end - rows.begin;
  if (AreTriples(shape.across) && (count == 1 || count == 2)) {
    const int64_t at = rows.begin * shape.across.out * shape.lanes;
    const auto place = static_cast<int32_t>(
        3 * (h + shape.down.padding - rows.begin * shape.down.stride));
    const auto gather = count == 1 ? GatherTriples<1, Lane, T, W>
                                   : GatherTriples<2, Lane, T, W>;
    gather(shape, place, gradient + at, winners + at, out);
    return;
  }
  for (int64_t w = 0; w < shape.across.in; ++w) {
    GatherPlace<Lane>(shape, rows, h, w, gradient, winners,
                      out + w * shape.lanes);
  }
}

// One row of the input's gradient.
template <class T, class W>
void GatherRow(const MaxPoolGradientWork& work, int64_t plane, int64_t h) {
  const MaxPoolShape& shape = work.shape;
  const int64_t outputs =
      plane * shape.down.out * shape.across.out * shape.lanes;
  const T* gradient = static_cast<const T*>(work.output_gradient) + outputs;
  const W* winners = static_cast<const W*>(work.winners) + outputs;
  T* out = static_cast<T*>(work.input_gradient) +
           (plane * shape.down.in + h) * shape.across.in * shape.lanes;
  int64_t c = 0;
  for (; c + kLanes <= shape.lanes; c += kLanes) {
    GatherRowOf<VectorOfChannels>(shape, h, gradient + c, winners + c, out + c);
  }
  for (; c < shape.lanes; ++c) {
    GatherRowOf<OneChannel>(shape, h, gradient + c, winners + c, out + c);
  }
}

template <class T>
void MaxPoolOf(const MaxPoolWork& work) {
  const MaxPoolShape& shape = work.shape;
  const int64_t rows = shape.planes * shape.down.out;
  const bool bytes = shape.winners_are_bytes();
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t plane = row / shape.down.out;
    const int64_t p = row % shape.down.out;
    bytes ? PoolRow<T, uint8_t>(work, plane, p)
          : PoolRow<T, int32_t>(work, plane, p);
  }
}

void MaxPool(const MaxPoolWork& work) {
  work.shape.bfloat16 ? MaxPoolOf<Bfloat16>(work) : MaxPoolOf<float>(work);
}

template <class T>
void MaxPoolGradientOf(const MaxPoolGradientWork& work) {
  const MaxPoolShape& shape = work.shape;
  const int64_t rows = shape.planes * shape.down.in;
  const bool bytes = shape.winners_are_bytes();
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t plane = row / shape.down.in;
    const int64_t h = row % shape.down.in;
    bytes ? GatherRow<T, uint8_t>(work, plane, h)
          : GatherRow<T, int32_t>(work, plane, h);
  }
}

void MaxPoolGradient(const MaxPoolGradientWork& work) {
  work.shape.bfloat16 ? MaxPoolGradientOf<Bfloat16>(work)
                      : MaxPoolGradientOf<float>(work);
}

}  // namespace
}  // namespace alexnet::cpu::ALEXNET_ISA_NAMESPACE
