// SPDX-License-Identifier: MIT
// Winograd's minimal filtering for convolutions of stride 1 (Winograd 1980;
// Lavin and Gray, CVPR 2016), for 5×5 and 3×3 kernels, in all three
// directions. An m×m tile of outputs comes from an α×α tile of inputs,
// α = m + r − 1, with α² multiplies a channel pair instead of m²·r²:
//
//   Y  = Aᵀ [ Σ_c (G·g·Gᵀ) ⊙ (Bᵀ·d·B) ] A          forward, backward data
//   dg = Gᵀ [ Σ_t (Bᵀ·d·B) ⊙ (A·dY·Aᵀ) ] G          backward weights
//
// F(4×4, 5×5) needs 5.8 times fewer multiplies than direct convolution on
// 27×27 outputs, F(5×5, 3×3) 3.4 times fewer on 13×13; the price is rounding:
// about 3e-6 of the output's norm (backward weights 1.1e-5) against 2e-7.
#pragma once

#include <cstdint>

#include "core/bfloat16.h"
#include "core/isa.h"

namespace alexnet::cpu {

// F(m×m, r×r)
struct WinogradTile {
  int64_t m;
  int64_t r;
  constexpr int64_t alpha() const { return m + r - 1; }
  constexpr int64_t planes() const { return alpha() * alpha(); }
};

// Images in the blocked layout [n][C / lanes][H][W][lanes], of float32 or
// bfloat16.
struct BlockedMap {
  void* data;
  bool bfloat16;
  int64_t channels;
  int64_t height;
  int64_t width;
};

// Tiles of a block of images: t = (image · rows + row) · columns + column.
// Transformed maps are [ξ][C / lanes][t][lanes], ξ < α².
struct TileGrid {
  int64_t first_image;
  int64_t images;
  int64_t rows;
  int64_t columns;
  // Always inlined: a copy of its own could be one for a newer machine.
  [[gnu::always_inline]] int64_t count() const {
    return images * rows * columns;
  }
};

struct WinogradKernels {
  WinogradTile tile;
  int lanes;

  // to = Bᵀ·d·B of the tiles of `map`, which starts `padding` before the
  // first output's window.
  void (*transform_input)(const BlockedMap& map, int64_t padding,
                          const TileGrid& grid, float* to);

  // map = Aᵀ·M·A (+ bias, then max(·, 0)); the bias may be null.
  void (*transform_output)(const float* from, const float* bias, bool relu,
                           const TileGrid& grid, const BlockedMap& map);

  // to = A·dY·Aᵀ
  void (*transform_gradient)(const BlockedMap& map, const TileGrid& grid,
                             float* to);

  // to[ξ][outputs / lanes][inputs][lanes] = G·g·Gᵀ for weights whose element
  // (output o, input i, r, s) is at o/lanes·output_stride +
  // i/lanes·input_stride + ((r·R + s)·lanes + i%lanes)·lanes + o%lanes; with
  // `flip` the kernel is turned by 180°, as the backward pass wants it.
  void (*transform_weights)(const float* weights, int64_t outputs,
                            int64_t inputs, int64_t output_stride,
                            int64_t input_stride, bool flip, float* to);

  // dg = Gᵀ·dU·G, into weights laid out as above.
  void (*transform_weight_gradient)(const float* from, int64_t outputs,
                                    int64_t inputs, int64_t output_stride,
                                    int64_t input_stride, float* weights);

  // sum[channel] = Σ of the map over images and places
  void (*sum_channels)(const BlockedMap& map, int64_t images, float* sum);

  // to[ξ][K / lanes][t][lanes] = Σ_c maps[ξ][c / lanes][t][c % lanes] ·
  // weights[ξ][K / lanes][c][lanes], for `planes` ξ.
  void (*multiply)(const float* maps, const float* weights, int64_t planes,
                   int64_t tiles, int64_t inputs, int64_t outputs, float* to);

  // to[ξ][K / lanes][c][lanes] (+)= Σ_t maps[ξ][c / lanes][t][c % lanes] ·
  // gradients[ξ][K / lanes][t][lanes]
  void (*multiply_transposed)(const float* maps, const float* gradients,
                              int64_t planes, int64_t tiles, int64_t inputs,
                              int64_t outputs, bool accumulate, float* to);
};

// For r×r kernels. Null where there are none: other kernel sizes, and the
// generic instruction set.
const WinogradKernels* WinogradKernelsFor(Isa isa, int64_t r);

}  // namespace alexnet::cpu
