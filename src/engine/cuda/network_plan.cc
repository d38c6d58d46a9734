// SPDX-License-Identifier: MIT
#include "engine/cuda/network_plan.h"

#include <algorithm>

#include "alexnet/error.h"

namespace alexnet::cuda {
namespace {

bool HasParameters(const LayerOp& op) {
  return std::holds_alternative<Conv2dSpec>(op) ||
         std::holds_alternative<LinearSpec>(op);
}

// When things happen: the input at 0, forward operation i at i + 1, the loss,
// then backward in reverse.
struct Clock {
  int ops;
  int Forward(size_t i) const { return static_cast<int>(i) + 1; }
  int Loss() const { return ops + 1; }
  int Backward(size_t i) const { return 2 * ops + 1 - static_cast<int>(i); }
};

// A layer with parameters adds its bias and does the ReLU right after it; where
// a pooling comes next, that does both, on its way through the window: the
// convolution's output is then read once and not kept.
void TakeBias(Op& pool, Op& conv) {
  pool.bias = true;
  pool.relu = conv.relu;
  pool.trained = conv.trained;
  pool.weight = conv.weight;
  conv.bias = conv.relu = false;
}

// Flatten leaves the data where it is.
std::vector<Op> MakeOps(const EngineSpec& spec, const InputBlocks& input) {
  const ModelSpec& model = spec.model;
  std::vector<Op> ops;
  size_t parameter = 0;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const LayerSpec& layer = model.layers[i];
    if (std::holds_alternative<FlattenSpec>(layer.op)) continue;
    if (std::holds_alternative<ReluSpec>(layer.op) && !ops.empty() &&
        ops.back().bias) {
      ops.back().relu = true;
      continue;
    }
    Op op = {.name = layer.name,
             .layer = layer.op,
             .index = static_cast<int64_t>(i),
             .weight = parameter};
    if (HasParameters(layer.op)) {
      op.bias = true;
      op.trained = spec.training && !layer.frozen;
      parameter += 2;
    }
    if (auto* conv = std::get_if<Conv2dSpec>(&op.layer); conv && i == 0) {
      *conv = OverBlocks(*conv, input);
    }
    if (!ops.empty()) {
      Op& last = ops.back();
      if (std::holds_alternative<MaxPool2dSpec>(op.layer) &&
          std::holds_alternative<Conv2dSpec>(last.layer)) {
        TakeBias(op, last);
      }
      const auto* dropout = std::get_if<DropoutSpec>(&op.layer);
      if (dropout && last.relu) {
        last.scale = 1 / (1 - dropout->p);
        op.backward_in_relu = true;
      }
    }
    ops.push_back(std::move(op));
  }
  return ops;
}

size_t FirstTrained(const std::vector<Op>& ops) {
  const auto found = std::find_if(ops.begin(), ops.end(),
                                  [](const Op& op) { return op.trained; });
  return static_cast<size_t>(found - ops.begin());
}

// Only a linear layer can read C×H×W that is stored as H×W×C and called flat.
void CheckFlatten(const ModelSpec& model) {
  const std::vector<LayerInfo> layers = InferLayers(model);
  bool flattened = false;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const LayerOp& op = model.layers[i].op;
    if (std::holds_alternative<FlattenSpec>(op)) {
      flattened |= layers[i].input.height * layers[i].input.width > 1;
    } else if (std::holds_alternative<LinearSpec>(op)) {
      flattened = false;
    } else if (flattened && !WorksInPlace(op)) {
      throw Error(Concat("layer ", model.layers[i].name, ": the CUDA engine ",
                         "has no ", TypeName(op), " after Flatten"));
    }
  }
  if (flattened) {
    throw Error("the CUDA engine needs a Linear layer after Flatten");
  }
}

}  // namespace

NetworkPlan::NetworkPlan(const EngineSpec& spec, int64_t images)
    : slice(images),
      element_bytes(spec.precision == Precision::kBfloat16 ? 2 : 4),
      input(BlocksOf(spec.model)),
      ops(MakeOps(spec, input)),
      first_trained(FirstTrained(ops)) {
  CheckFlatten(spec.model);
  const std::vector<LayerInfo> layers = InferLayers(spec.model);
  const Clock clock = {static_cast<int>(ops.size())};
  const auto add = [&](const char* purpose, const Activation& at, int tick) {
    const int64_t bytes = at.wide ? 4 : element_bytes;
    return arena.Add(purpose, slice * at.shape.elements() * bytes, tick);
  };
  activations.push_back({.shape = input.stored});
  activations[0].value = add("activations", activations[0], 0);
  for (size_t i = 0; i < ops.size(); ++i) {
    Op& op = ops[i];
    op.source = op.target = activations.size() - 1;
    activations[op.source].value->UseAt(clock.Forward(i));
    if (WorksInPlace(op.layer)) continue;
    Activation made = {.shape = layers[static_cast<size_t>(op.index)].output};
    made.wide = i + 1 == ops.size() && !op.relu &&
                std::holds_alternative<LinearSpec>(op.layer);
    made.value = add("activations", made, clock.Forward(i));
    if (i >= first_trained) {
      Activation narrow = made;
      narrow.wide = false;
      made.gradient = add("activation gradients", narrow, clock.Backward(i));
    }
    activations.push_back(made);
    op.target = activations.size() - 1;
    if (std::holds_alternative<MaxPool2dSpec>(op.layer)) {
      op.argmax = arena.Add("pooling indices", slice * made.shape.elements(),
                            clock.Forward(i));
    }
  }
  activations.back().value->UseAt(clock.Loss());
  Activation& logits = activations.back();
  if (logits.gradient) logits.gradient->UseAt(clock.Loss());
  for (size_t i = first_trained; i < ops.size(); ++i) {
    KeepForBackward(ops[i], clock.Backward(i));
  }
  arena.Plan();
}

void NetworkPlan::KeepForBackward(const Op& op, int tick) {
  for (const size_t a : {op.source, op.target}) {
    if (activations[a].gradient) activations[a].gradient->UseAt(tick);
  }
  if (op.relu) activations[op.target].value->UseAt(tick);
  // Pooling has its indices, dropout its mask, a frozen layer its weights; the
  // others need their input.
  if (op.argmax) {
    op.argmax->UseAt(tick);
  } else if (!std::holds_alternative<DropoutSpec>(op.layer) &&
             (op.trained || !HasParameters(op.layer))) {
    activations[op.source].value->UseAt(tick);
  }
}

int64_t StateBytes(const EngineSpec& spec) {
  const std::vector<ParameterPlace> places = PlaceParameters(spec.model);
  const int64_t flat = FlatElements(places);
  int64_t bytes = flat * 4;
  if (spec.precision == Precision::kBfloat16) bytes += flat * 2;
  if (!spec.training) return bytes;
  const int64_t arrays = 1 + std::ssize(TrainingStates(spec));
  const int64_t tile_bytes =
      static_cast<int64_t>(sizeof(FlatTile)) + (spec.clip_norm > 0 ? 8 : 0);
  return bytes + arrays * TrainedElements(places) * 4 +
         std::ssize(MakeTiles(places)) * tile_bytes;
}

int64_t ChooseSlice(int64_t batch, int64_t asked, int64_t free_bytes,
                    const std::function<int64_t(int64_t)>& bytes_for) {
  const auto fits = [&](int64_t n) { return bytes_for(n) <= free_bytes; };
  const int64_t wanted = asked > 0 ? std::min(asked, batch) : batch;
  for (int64_t parts = 1; asked == 0 || parts == 1; ++parts) {
    const int64_t slice = (wanted + parts - 1) / parts;
    if (fits(slice)) return slice;
    if (slice == 1) break;
  }
  int64_t largest = 0;
  for (int64_t step = wanted; step > 0; step /= 2) {
    while (largest + step < wanted && fits(largest + step)) largest += step;
  }
  const int64_t tried = asked > 0 ? wanted : 1;
  const int64_t needed = bytes_for(tried);
  throw Error(
      Concat("out of GPU memory: ",
             tried == 1 ? std::string("a single image needs ")
                        : Concat(tried, " images at once need "),
             needed == kTooMuch ? std::string("more values than kernels count")
                                : Concat(needed >> 20, " MiB"),
             ", ", free_bytes >> 20, " MiB are free; ",
             largest > 0 ? Concat("the largest slice that fits is ", largest)
                         : std::string("not a single image fits")));
}

}  // namespace alexnet::cuda
