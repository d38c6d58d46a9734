// SPDX-License-Identifier: MIT
// From bytes at source size to the network's input.
#include "engine/cuda/device.cuh"

namespace alexnet::cuda {
namespace {

// InputBlocks as kernels count, in values. A row of blocks is made of `size`
// lines of the image, its padding included.
struct Rows {
  explicit Rows(const InputBlocks& blocks)
      : channels(static_cast<int32_t>(blocks.image.channels)),
        height(static_cast<int32_t>(blocks.image.height)),
        line(static_cast<int32_t>(blocks.image.width) * channels),
        size(static_cast<int32_t>(blocks.size)),
        top(static_cast<int32_t>(blocks.top)),
        left(static_cast<int32_t>(blocks.left) * channels),
        count(static_cast<int32_t>(blocks.stored.height)),
        values(
            static_cast<int32_t>(blocks.stored.width * blocks.stored.channels)),
        block_line(size == 1 ? values : size * channels),
        by_channels(channels),
        by_line(line),
        by_size(size),
        by_block_line(block_line) {}
  int32_t channels, height, line, size, top, left;
  int32_t count;       // of an image
  int32_t values;      // of a row
  int32_t block_line;  // values of a block, or of a whole line of pixels, that
                       // lie together in the image as in the row
  Divider by_channels, by_line, by_size, by_block_line;
};

// Rows that a block of threads makes, and the most that it keeps of the
// source's lines.
constexpr int32_t kRows = 8;
constexpr int32_t kAcrossBytes = 32 << 10;
constexpr int32_t kMostChannels = 3;

// The lines of the source that lines top … bottom of the image need.
struct Needed {
  int32_t first, count;
};

__device__ Needed NeededFor(const ResizeTable& down, int32_t top,
                            int32_t bottom) {
  if (down.in == down.out) return {top, bottom - top + 1};
  const int32_t first = down.first[top];
  return {first, down.first[bottom] + down.count[bottom] - first};
}

// Makes bytes of one image.
struct Resizer {
  const InputSpec& spec;
  const Rows& rows;
  const uint8_t* source;
  const uint8_t* across;  // lines `needed` of it, resized; null: not kept
  Needed needed;

  // n of them, of line y from value `at` on. Those beyond the line are any.
  template <int n>
  __device__ void Make(int32_t y, int32_t at, uint8_t (&bytes)[n]) const {
    if (across != nullptr) {
      const uint8_t* column = across + at;
      const auto kept = [&](int32_t line, int k) {
        return column[(line - needed.first) * rows.line + k];
      };
      ResizedBytes(spec.down, y, kept, bytes);
      return;
    }
    const int64_t plane = spec.source_height * spec.across.in;
    for (int k = 0; k < n; ++k) {
      if (at + k < 0 || at + k >= rows.line) continue;
      const int32_t x = rows.by_channels.Quotient(at + k);
      const int32_t c = at + k - x * rows.channels;
      bytes[k] = ResizedPixel(spec.across, spec.down, source + c * plane, y, x);
    }
  }
};

// What a block of threads works on: some rows of one image.
struct Part {
  __device__ Part(const InputSpec& spec, const Rows& rows, const SliceOf& slice)
      : image(slice.first + blockIdx.x),
        first_row(static_cast<int32_t>(blockIdx.y) * kRows),
        end_row(first_row + kRows < rows.count ? first_row + kRows
                                               : rows.count),
        needed{0, 0} {
    int32_t top = first_row * rows.size - rows.top;
    int32_t bottom = end_row * rows.size - rows.top - 1;
    top = top < 0 ? 0 : top;
    bottom = bottom < rows.height ? bottom : rows.height - 1;
    if (top <= bottom) needed = NeededFor(spec.down, top, bottom);
  }
  __device__ bool Fits(const Rows& rows) const {
    return int64_t{needed.count} * rows.line <= kAcrossBytes;
  }
  int64_t image;
  int32_t first_row, end_row;
  Needed needed;  // of the source
};

// The lines that the part needs, resized across.
__device__ void MakeAcross(uint8_t* across, const InputSpec& spec,
                           const Rows& rows, const uint8_t* source,
                           const Needed& needed) {
  const int64_t plane = spec.source_height * spec.across.in;
  for (auto i = static_cast<int32_t>(threadIdx.x); i < needed.count * rows.line;
       i += static_cast<int32_t>(blockDim.x)) {
    const int32_t y = rows.by_line.Quotient(i);
    const int32_t x = rows.by_channels.Quotient(i - y * rows.line);
    const int32_t c = i - y * rows.line - x * rows.channels;
    const uint8_t* line =
        source + c * plane + int64_t{needed.first + y} * spec.across.in;
    across[i] = ResizedByte(spec.across, x, [&](int32_t j) { return line[j]; });
  }
}

// V values of a row from `in_row` on, n neighbours at a time.
template <class T, int V, int n>
__device__ Pack<T, V> MakePack(const Resizer& resizer, const T* normalised,
                               int32_t row, int32_t in_row) {
  const Rows& rows = resizer.rows;
  Pack<T, V> pack;
#pragma unroll
  for (int32_t v = 0; v < V; v += n) {
    const int32_t line = rows.by_block_line.Quotient(in_row + v);
    const int32_t block = rows.by_size.Quotient(line);
    const int32_t y = row * rows.size + line - block * rows.size - rows.top;
    const int32_t at =
        (block - line) * rows.block_line + in_row + v - rows.left;
    uint8_t bytes[n] = {};
    const bool inside = y >= 0 && y < rows.height;
    if (inside && at > -n && at < rows.line) resizer.Make(y, at, bytes);
    int32_t c = rows.by_channels.Remainder(at + rows.left);
#pragma unroll
    for (int32_t k = 0; k < n; ++k) {
      const bool there = inside && at + k >= 0 && at + k < rows.line;
      // Loaded also where it is not there: without a branch the loads are under
      // way together.
      const T value = normalised[c * 256 + bytes[k]];
      pack.x[v + k] = there ? value : T(0.0F);
      c = c + 1 == rows.channels ? 0 : c + 1;
    }
  }
  return pack;
}

// A block of threads resizes the source's lines across, once, and makes values
// of these. Lines that take too much room are resized again for each value.
// Images beyond the step's are zeros.
template <class T, int V, int n>
__global__ void MakeInputKernel(Pack<T, V>* out, InputSpec spec, Rows rows,
                                Divider by_packs, SliceOf slice) {
  // With room for neighbours that lie beyond the first and last line.
  __shared__ uint8_t memory[kAcrossBytes + 2 * n];
  __shared__ T normalised[kMostChannels * 256];
  uint8_t* across = memory + n;
  const StepInput& step = *slice.step.input;
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const auto threads = static_cast<int32_t>(blockDim.x);
  const Part part(spec, rows, slice);
  const int32_t packs = rows.values / V;
  const int32_t all_packs = (part.end_row - part.first_row) * packs;
  out += (int64_t{blockIdx.x} * rows.count + part.first_row) * packs;
  if (part.image >= step.count) {
    for (int32_t i = thread; i < all_packs; i += threads) out[i] = {};
    return;
  }
  const uint8_t* source = step.pixels + slice.step.images[part.image] *
                                            rows.channels * spec.source_height *
                                            spec.across.in;
  const bool kept = part.Fits(rows);
  if (kept) MakeAcross(across, spec, rows, source, part.needed);
  for (int32_t i = thread; i < rows.channels * 256; i += threads) {
    Store(normalised + i, spec.normalised[i]);
  }
  __syncthreads();
  const Resizer resizer = {spec, rows, source, kept ? across : nullptr,
                           part.needed};
  for (int32_t i = thread; i < all_packs; i += threads) {
    const int32_t row = by_packs.Quotient(i);
    out[i] = MakePack<T, V, n>(resizer, normalised, part.first_row + row,
                               (i - row * packs) * V);
  }
}

}  // namespace

void MakeInput(void* out, Type type, const InputSpec& spec,
               const SliceOf& slice, cudaStream_t stream) {
  ALEXNET_CHECK(spec.blocks.image.channels <= kMostChannels);
  const Rows rows(spec.blocks);
  const dim3 grid(static_cast<unsigned>(slice.images),
                  static_cast<unsigned>((rows.count + kRows - 1) / kRows));
  // Packs are made of fours, where a line of a block is.
  const int32_t fours = rows.block_line % 4 == 0 ? rows.values : 1;
  DispatchPacks(type, fours, [&](auto t, auto v) {
    Launch("MakeInput", MakeInputKernel < decltype(t), v, v % 4 == 0 ? 4 : 1 >,
           grid, kThreads, stream, static_cast<Pack<decltype(t), v>*>(out),
           spec, rows, Divider(rows.values / v), slice);
  });
}

}  // namespace alexnet::cuda
