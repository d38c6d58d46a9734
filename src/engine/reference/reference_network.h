// SPDX-License-Identifier: MIT
// A network of naive loops: the oracle that other engines are compared with,
// and the engine where there is no other. In double for gradient checks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "alexnet/model.h"

namespace alexnet {

// What the dropout masks of a batch depend on.
struct DropoutKeys {
  uint64_t seed = 0;
  int64_t epoch = 0;
  std::vector<int64_t> samples;  // one for each image
};

struct ReferenceOptions {
  int64_t max_images = 1;
  bool training = true;         // false: no gradients
  bool input_gradient = false;  // also of the input, for checks
};

template <class T>
class ReferenceNetwork {
 public:
  ReferenceNetwork(const ModelSpec& model, const ReferenceOptions& options);

  const std::vector<ParameterInfo>& parameters() const { return infos_; }
  std::span<T> parameter(size_t i) { return parameters_[i]; }
  std::span<const T> parameter(size_t i) const { return parameters_[i]; }
  std::span<T> gradient(size_t i) { return gradients_[i]; }
  std::span<const T> gradient(size_t i) const { return gradients_[i]; }

  // To be filled before each Forward, which may overwrite it. C×H×W.
  std::span<T> input(int64_t image);
  std::span<T> input_gradient(int64_t image);
  std::span<const T> logits(int64_t image) const;
  // To be filled before each Backward, which overwrites it.
  std::span<T> logits_gradient(int64_t image);

  // Of the first `images` images. Without `dropout` it is the identity.
  void Forward(int64_t images, const DropoutKeys* dropout);
  void ZeroGradients();
  // Adds to the gradients; `dropout` as in the Forward before.
  void Backward(int64_t images, const DropoutKeys* dropout);

  int64_t activation_bytes() const;
  int64_t activation_gradient_bytes() const;

 private:
  // A layer with its input and output; those that work in place have the same
  // buffer for both.
  struct Node {
    LayerOp op;
    Shape3 input;
    Shape3 output;
    size_t source = 0;  // index into buffers_
    size_t target = 0;
    size_t weight = 0;  // index into parameters_; the bias follows
    std::vector<int32_t> argmax;
  };
  // Activations, and their gradients, of all images.
  struct Buffer {
    Shape3 shape;
    std::vector<T> values;
    std::vector<T> gradients;
  };
  struct ForwardOp;
  struct BackwardOp;

  T* Values(size_t buffer, int64_t image);
  T* Gradients(size_t buffer, int64_t image);

  ReferenceOptions options_;
  std::vector<ParameterInfo> infos_;
  std::vector<std::vector<T>> parameters_;
  std::vector<std::vector<T>> gradients_;
  std::vector<Buffer> buffers_;  // the input's first, the logits' last
  std::vector<Node> nodes_;
};

extern template class ReferenceNetwork<float>;
extern template class ReferenceNetwork<double>;

}  // namespace alexnet
