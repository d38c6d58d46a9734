// SPDX-License-Identifier: MIT
// Convolution of stride 1 in bfloat16 by AMX, which multiplies a tile of 16
// rows × 32 values by one of 32 × 16 and adds up in float32. Nothing is copied
// per tap of the kernel: a map is laid out once with its padding, image by
// image in the cache, and the rows of a tile are 16 of its places side by side,
// each from its own channels on. A row of outputs thereby has as many places as
// a padded row of the map; those between the rows are worked out and dropped.
//
// Channels are counted in blocks of 16, the last one filled up with zeros.
#pragma once

#include <cstdint>

#include "alexnet/model.h"
#include "core/bfloat16.h"
#include "core/isa.h"

namespace alexnet::cpu {

inline constexpr int64_t kTileSide = 16;    // rows, and float32 columns
inline constexpr int64_t kTileValues = 32;  // bfloat16 columns
inline constexpr int64_t kTileElements = kTileSide * kTileValues;
inline constexpr int64_t kTileSums = kTileSide * kTileSide;

// The correlation of a map with a kernel. Its members are always inlined: a
// copy of one of their own could be one for a newer machine.
struct CorrelationShape {
  Shape3 map;
  Shape3 output;  // channels a multiple of 16
  Size2 kernel;
  int64_t top;  // padding
  int64_t left;

  [[gnu::always_inline]] int64_t blocks() const {
    return (map.channels + kTileSide - 1) / kTileSide;
  }
  [[gnu::always_inline]] int64_t output_blocks() const {
    return output.channels / kTileSide;
  }
  [[gnu::always_inline]] int64_t taps() const {
    return kernel.height * kernel.width;
  }
  // Of an image.
  [[gnu::always_inline]] int64_t map_values() const {
    return map.channels * map.height * map.width;
  }
  [[gnu::always_inline]] int64_t output_values() const {
    return output.channels * output.height * output.width;
  }
  // Of the map with its padding.
  [[gnu::always_inline]] int64_t rows() const {
    return output.height + kernel.height - 1;
  }
  [[gnu::always_inline]] int64_t columns() const {
    return output.width + kernel.width - 1;
  }
  // Tiles that hold the outputs and what is between their rows.
  [[gnu::always_inline]] int64_t tiles() const {
    return (output.height * columns() + kTileSide - 1) / kTileSide;
  }
  // Places of the padded map that are read, beyond its end by the last tile's
  // and where a row of the kernel ends within a step: there weights are zeros.
  [[gnu::always_inline]] int64_t places() const {
    return tiles() * kTileSide + (kernel.height - 1) * columns() + kernel.width;
  }
  // Products that add up to one output, for a row of the kernel.
  [[gnu::always_inline]] int64_t steps_in_row() const {
    return (kernel.width * blocks() + 1) / 2;
  }
  [[gnu::always_inline]] int64_t steps() const {
    return kernel.height * steps_in_row();
  }
  // Elements of one image's padded map, of the packed weights.
  [[gnu::always_inline]] int64_t map_elements() const {
    return places() * blocks() * kTileSide;
  }
  [[gnu::always_inline]] int64_t weight_elements() const {
    return output_blocks() * steps() * kTileElements;
  }
  // Of one image's output gradients, as the weights' gradient reads them; of
  // its map it reads map_elements().
  [[gnu::always_inline]] int64_t packed_gradient_elements() const {
    return tiles() * kTileSide * output.channels;
  }
};

// Maps are N × H × W × C. Weights are [K/16][C/16][R][S][16 k][16 c].
struct TileCorrelation {
  CorrelationShape shape;
  const Bfloat16* map;
  const Bfloat16* weights;  // packed
  const float* bias;        // or null
  bool relu;
  int64_t images;
  Bfloat16* scratch;  // map_elements() for each thread
  Bfloat16* output;
};

// dW[k, c, r, s] = Σ over images and places of dy[k] · x[c] at the place
// (r, s) further on. Images are taken two at a time, value beside value, for a
// product adds up pairs.
struct TileWeightGradient {
  CorrelationShape shape;
  const Bfloat16* map;
  const Bfloat16* gradient;  // N × H × W × K of the output
  int64_t images;
  int64_t images_at_once;  // even; packed at a time
  Bfloat16* packed_map;    // images_at_once · map_elements
  Bfloat16* packed_gradient;
  float* sum;   // as the weights
  float* bias;  // Σ dy
};

struct TileKernels {
  // For the forward pass.
  void (*pack_weights)(const CorrelationShape& shape, const float* weights,
                       Bfloat16* packed);
  // For the backward pass to the data, whose `shape` has the convolution's
  // outputs as its map: the kernel is turned by 180°, inputs and outputs
  // exchanged.
  void (*pack_turned_weights)(const CorrelationShape& shape,
                              const float* weights, Bfloat16* packed);
  void (*correlate)(const TileCorrelation& work);
  void (*weight_gradient)(const TileWeightGradient& work);
};

// Null where there is no AMX in this build or instruction set.
const TileKernels* TileKernelsFor(Isa isa);

}  // namespace alexnet::cpu
