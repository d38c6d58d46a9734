// SPDX-License-Identifier: MIT
// A network as the CUDA engine computes it: operations, the buffers between
// them and when each is alive. Plain arithmetic, no GPU needed. Activations
// are N × H × W × C, the input as InputBlocks says.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "core/arena.h"
#include "engine/cuda/input_blocks.h"
#include "engine/cuda/parameter_place.h"

namespace alexnet::cuda {

struct Activation {
  Shape3 shape;
  bool wide = false;           // float32 whatever the precision: the logits
  Buffer* value = nullptr;     // in the arena, slice × shape
  Buffer* gradient = nullptr;  // null where nobody asks for it
};

struct Op {
  std::string name;
  LayerOp layer;
  int64_t index = 0;  // of the layer in the model: the dropout mask's
  bool bias = false;  // adds the bias of `weight`, then does ReLU if `relu`
  bool relu = false;
  bool trained = false;  // the parameters are
  // What backward multiplies the gradients that pass the ReLU by. Of a dropout
  // right after it: where that drops it leaves zeros, which the ReLU stops.
  double scale = 1;
  bool backward_in_relu = false;  // a dropout for which that is done
  size_t source = 0;  // activations; the same where it works in place
  size_t target = 0;
  size_t weight = 0;         // index of the parameter; its bias follows
  Buffer* argmax = nullptr;  // pooling: a byte for each output
};

struct NetworkPlan {
  NetworkPlan(const EngineSpec& spec, int64_t slice);

  int64_t slice;
  int64_t element_bytes;  // of an activation
  InputBlocks input;
  std::vector<Activation> activations;  // the input first, the logits last
  std::vector<Op> ops;
  // The first operation whose parameters are trained: gradients come down to
  // it and no further. As many as there are operations if there is none.
  size_t first_trained = 0;
  Arena arena;  // planned, not allocated

 private:
  // What the backward pass of `op` reads lives until then.
  void KeepForBackward(const Op& op, int tick);
};

// The bytes of everything else that lasts: parameters, their bfloat16 copy,
// gradients, what the optimizer keeps, and the tables of the update.
int64_t StateBytes(const EngineSpec& spec);

// Of a slice whose activations have more values than a kernel counts, which fit
// into no memory.
inline constexpr int64_t kTooMuch = std::numeric_limits<int64_t>::max();

// The largest slice that fits: the batch, or equal parts of it. Throws Error
// with the bytes needed and free and the largest batch that fits when a slice
// that was asked for, or a single image, does not.
int64_t ChooseSlice(int64_t batch, int64_t asked, int64_t free_bytes,
                    const std::function<int64_t(int64_t)>& bytes_for);

}  // namespace alexnet::cuda
