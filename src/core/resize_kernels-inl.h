// SPDX-License-Identifier: MIT
// The source of the kernels, included once for each instruction set inside of
// its namespace. Nothing of the standard library: an inline function of it,
// compiled for a better machine, could be the copy that the linker keeps.

constexpr int kFractionBits = 22;
constexpr int32_t kHalf = int32_t{1} << (kFractionBits - 1);

typedef int32_t Int4 __attribute__((vector_size(16)));
typedef int32_t Int8 __attribute__((vector_size(32)));
typedef uint8_t Byte8 __attribute__((vector_size(8)));

inline uint8_t Clip(int32_t value) {
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// Four bytes a pixel, so that two of them fill a vector of eight numbers.
void Widen(const uint8_t* rgb, int64_t pixels, uint8_t* wide) {
  for (int64_t i = 0; i < pixels; ++i) {
    wide[4 * i] = rgb[3 * i];
    wide[4 * i + 1] = rgb[3 * i + 1];
    wide[4 * i + 2] = rgb[3 * i + 2];
    wide[4 * i + 3] = 0;
  }
  __builtin_memset(wide + 4 * pixels, 0, 8);
}

void Row(const RowPass& pass, const uint8_t* rgb, int64_t pixels, uint8_t* wide,
         uint8_t* out) {
  Widen(rgb, pixels, wide);
  const int64_t outputs = pass.outputs;
  const int32_t* weights = pass.weights;
  for (int64_t x = 0; x < outputs; ++x) {
    const uint8_t* source = wide + 4 * int64_t{pass.first[x]};
    Int8 sum = {kHalf, kHalf, kHalf, 0, 0, 0, 0, 0};
    for (int64_t s = 0; s < pass.steps; ++s, source += 8, weights += 8) {
      Byte8 bytes;
      Int8 weight;
      __builtin_memcpy(&bytes, source, sizeof bytes);
      __builtin_memcpy(&weight, weights, sizeof weight);
      sum += __builtin_convertvector(bytes, Int8) * weight;
    }
    Int4 pixel = __builtin_shufflevector(sum, sum, 0, 1, 2, 3) +
                 __builtin_shufflevector(sum, sum, 4, 5, 6, 7);
    pixel >>= kFractionBits;
    out[x] = Clip(pixel[0]);
    out[outputs + x] = Clip(pixel[1]);
    out[2 * outputs + x] = Clip(pixel[2]);
  }
}

void Column(const int32_t* weights, int64_t taps, const uint8_t* rows,
            int64_t width, int32_t* sums, uint8_t* out) {
  for (int64_t x = 0; x < width; ++x) sums[x] = kHalf;
  for (int64_t j = 0; j < taps; ++j) {
    const int32_t weight = weights[j];
    const uint8_t* row = rows + j * width;
    for (int64_t x = 0; x < width; ++x) sums[x] += weight * row[x];
  }
  for (int64_t x = 0; x < width; ++x) out[x] = Clip(sums[x] >> kFractionBits);
}
