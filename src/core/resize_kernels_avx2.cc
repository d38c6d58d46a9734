// SPDX-License-Identifier: MIT
#include <immintrin.h>

#include "core/resize_kernels.h"

namespace alexnet::avx2 {
namespace {
#include "core/resize_kernels-inl.h"

// Two numbers of 16 bits in each lane of 32.
__m256i Pair(const int16_t* weights) {
  int32_t both;
  __builtin_memcpy(&both, weights, sizeof both);
  return _mm256_set1_epi32(both);
}

// One pixel of both rows, one in each half; not yet cut to bytes. Bytes are
// brought to pairs of neighbours in one channel, whose products with a pair of
// weights one instruction forms and adds.
__m256i Pixel(const int16_t* weights, int64_t steps, const uint8_t* top,
              const uint8_t* bottom) {
  const __m256i first_two = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const __m256i last_two = _mm256_broadcastsi128_si256(_mm_setr_epi8(
      6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  __m256i upper = _mm256_setzero_si256();
  __m256i lower = _mm256_set1_epi32(kHalf);
  for (int64_t s = 0; s < steps; ++s) {
    const __m256i bytes = _mm256_inserti128_si256(
        _mm256_castsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(top))),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(bottom)), 1);
    const __m256i a = _mm256_shuffle_epi8(bytes, first_two);
    const __m256i b = _mm256_shuffle_epi8(bytes, last_two);
    upper = _mm256_add_epi32(upper, _mm256_madd_epi16(a, Pair(weights)));
    upper = _mm256_add_epi32(upper, _mm256_madd_epi16(b, Pair(weights + 2)));
    lower = _mm256_add_epi32(lower, _mm256_madd_epi16(a, Pair(weights + 4)));
    lower = _mm256_add_epi32(lower, _mm256_madd_epi16(b, Pair(weights + 6)));
    weights += 8;
    top += 3 * kRowStepPixels;
    bottom += 3 * kRowStepPixels;
  }
  return _mm256_srai_epi32(
      _mm256_add_epi32(_mm256_slli_epi32(upper, kLowerBits), lower),
      kFractionBits);
}

void Rows(const RowPass& pass, const uint8_t* const in[2],
          uint8_t* const out[2]) {
  const auto pixel = [&](int64_t x) {
    const int64_t at = 3 * int64_t{pass.first[x]};
    return Pixel(pass.weights + x * pass.steps * 8, pass.steps, in[0] + at,
                 in[1] + at);
  };
  static_assert(kRowOutputs == 4);
  for (int64_t x = 0; x < pass.outputs; x += kRowOutputs) {
    const __m256i pixels =
        _mm256_packus_epi16(_mm256_packs_epi32(pixel(x), pixel(x + 1)),
                            _mm256_packs_epi32(pixel(x + 2), pixel(x + 3)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out[0] + 4 * x),
                     _mm256_castsi256_si128(pixels));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out[1] + 4 * x),
                     _mm256_extracti128_si256(pixels, 1));
  }
}

__m256i EightBytes(const uint8_t* bytes) {
  return _mm256_cvtepu8_epi32(
      _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
}

void Column(const int32_t* weights, int64_t taps, const uint8_t* rows,
            int64_t width, uint8_t* out) {
  static_assert(kColumnBytes == 16);
  for (int64_t x = 0; x < width; x += kColumnBytes) {
    __m256i left = _mm256_set1_epi32(kHalf);
    __m256i right = left;
    const uint8_t* row = rows + x;
    for (int64_t j = 0; j < taps; ++j, row += width) {
      const __m256i weight = _mm256_set1_epi32(weights[j]);
      left =
          _mm256_add_epi32(left, _mm256_mullo_epi32(weight, EightBytes(row)));
      right = _mm256_add_epi32(right,
                               _mm256_mullo_epi32(weight, EightBytes(row + 8)));
    }
    // Packing goes by halves: numbers 0–3, 8–11, 4–7, 12–15.
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(_mm256_srai_epi32(left, kFractionBits),
                           _mm256_srai_epi32(right, kFractionBits)),
        _MM_SHUFFLE(3, 1, 2, 0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + x),
                     _mm_packus_epi16(_mm256_castsi256_si128(words),
                                      _mm256_extracti128_si256(words, 1)));
  }
}

}  // namespace

const ResizeKernels kResizeKernels = {
    .rows = Rows, .column = Column, .split = Split};

}  // namespace alexnet::avx2
