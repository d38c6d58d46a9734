// SPDX-License-Identifier: MIT
// What the compiler makes well of plain loops, included once for each
// instruction set inside of its namespace. Nothing of the standard library: an
// inline function of it, compiled for a better machine, could be the copy that
// the linker keeps.

constexpr int kFractionBits = 22;
constexpr int32_t kHalf = int32_t{1} << (kFractionBits - 1);

inline uint8_t Clip(int32_t value) {
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

void Split(const uint8_t* pixels, int64_t width, uint8_t* const planes[3]) {
  uint8_t* __restrict red = planes[0];
  uint8_t* __restrict green = planes[1];
  uint8_t* __restrict blue = planes[2];
  for (int64_t x = 0; x < width; ++x) {
    red[x] = pixels[4 * x];
    green[x] = pixels[4 * x + 1];
    blue[x] = pixels[4 * x + 2];
  }
}
