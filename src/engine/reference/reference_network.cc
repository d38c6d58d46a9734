// SPDX-License-Identifier: MIT
#include "engine/reference/reference_network.h"

#include <algorithm>

#include "alexnet/error.h"
#include "engine/reference/conv2d.h"
#include "engine/reference/dropout.h"
#include "engine/reference/linear.h"
#include "engine/reference/local_response_norm.h"
#include "engine/reference/max_pool2d.h"
#include "engine/reference/relu.h"

namespace alexnet {
namespace {

bool InPlace(const LayerOp& op) {
  return std::holds_alternative<ReluSpec>(op) ||
         std::holds_alternative<FlattenSpec>(op) ||
         std::holds_alternative<DropoutSpec>(op);
}

DropoutMask Mask(const DropoutSpec& spec, const DropoutKeys& keys, size_t layer,
                 int64_t image) {
  return {.p = spec.p,
          .seed = keys.seed,
          .layer = static_cast<int64_t>(layer),
          .sample = keys.samples[static_cast<size_t>(image)],
          .epoch = keys.epoch};
}

}  // namespace

// One layer forward for one image.
template <class T>
struct ReferenceNetwork<T>::ForwardOp {
  ReferenceNetwork& net;
  Node& node;
  size_t layer;
  int64_t image;
  const DropoutKeys* dropout;

  T* x() { return net.Values(node.source, image); }
  T* y() { return net.Values(node.target, image); }
  const T* w() { return net.parameters_[node.weight].data(); }
  const T* b() { return net.parameters_[node.weight + 1].data(); }

  void operator()(const Conv2dSpec& conv) {
    reference::Conv2dForward<T>(y(), node.output, x(), node.input, w(), b(),
                                conv);
  }
  void operator()(const ReluSpec&) {
    reference::ReluForward<T>(x(), node.input.elements());
  }
  void operator()(const LocalResponseNormSpec& norm) {
    reference::LrnForward<T>(y(), x(), node.input, norm);
  }
  void operator()(const MaxPool2dSpec& pool) {
    reference::MaxPool2dForward<T>(
        y(), node.argmax.data() + image * node.output.elements(), node.output,
        x(), node.input, pool);
  }
  void operator()(const FlattenSpec&) {}
  void operator()(const DropoutSpec& spec) {
    if (dropout == nullptr) return;
    reference::Dropout<T>(x(), node.input.elements(),
                          Mask(spec, *dropout, layer, image));
  }
  void operator()(const LinearSpec& linear) {
    reference::LinearForward<T>(y(), x(), w(), b(), linear);
  }
};

// One layer backward for one image.
template <class T>
struct ReferenceNetwork<T>::BackwardOp {
  ReferenceNetwork& net;
  Node& node;
  size_t layer;
  int64_t image;
  const DropoutKeys* dropout;

  const T* x() { return net.Values(node.source, image); }
  const T* w() { return net.parameters_[node.weight].data(); }
  T* dw() { return net.gradients_[node.weight].data(); }
  T* db() { return net.gradients_[node.weight + 1].data(); }
  T* dy() { return net.Gradients(node.target, image); }
  // Null for the network's input, unless its gradient is wanted.
  T* dx() {
    const bool wanted = node.source != 0 || net.options_.input_gradient;
    return wanted ? net.Gradients(node.source, image) : nullptr;
  }

  void operator()(const Conv2dSpec& conv) {
    reference::Conv2dBackward<T>(dx(), dw(), db(), dy(), node.output, x(),
                                 node.input, w(), conv);
  }
  void operator()(const ReluSpec&) {
    if (dx() == nullptr) return;
    reference::ReluBackward<T>(dx(), x(), node.input.elements());
  }
  void operator()(const LocalResponseNormSpec& norm) {
    if (dx() == nullptr) return;
    reference::LrnBackward<T>(dx(), dy(), x(), node.input, norm);
  }
  void operator()(const MaxPool2dSpec&) {
    if (dx() == nullptr) return;
    reference::MaxPool2dBackward<T>(
        dx(), node.input, dy(),
        node.argmax.data() + image * node.output.elements(), node.output);
  }
  void operator()(const FlattenSpec&) {}
  void operator()(const DropoutSpec& spec) {
    if (dx() == nullptr || dropout == nullptr) return;
    reference::Dropout<T>(dx(), node.input.elements(),
                          Mask(spec, *dropout, layer, image));
  }
  void operator()(const LinearSpec& linear) {
    reference::LinearBackward<T>(dx(), dw(), db(), dy(), x(), w(), linear);
  }
};

template <class T>
ReferenceNetwork<T>::ReferenceNetwork(const ModelSpec& model,
                                      const ReferenceOptions& options)
    : options_(options), infos_(Parameters(model)) {
  const std::vector<LayerInfo> layers = InferLayers(model);
  buffers_.push_back({.shape = model.input, .values = {}, .gradients = {}});
  size_t parameter = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    Node& node = nodes_.emplace_back();
    node.op = model.layers[i].op;
    node.input = layers[i].input;
    node.output = layers[i].output;
    node.source = buffers_.size() - 1;
    if (!InPlace(node.op)) {
      buffers_.push_back({.shape = node.output, .values = {}, .gradients = {}});
    }
    node.target = buffers_.size() - 1;
    node.weight = parameter;
    if (layers[i].parameters > 0) parameter += 2;
    if (std::holds_alternative<MaxPool2dSpec>(node.op)) {
      node.argmax.resize(
          static_cast<size_t>(options.max_images * node.output.elements()));
    }
  }
  for (const ParameterInfo& info : infos_) {
    const auto elements = static_cast<size_t>(info.elements);
    parameters_.emplace_back(elements);
    gradients_.emplace_back(options.training ? elements : 0);
  }
  for (size_t i = 0; i < buffers_.size(); ++i) {
    Buffer& buffer = buffers_[i];
    const auto elements =
        static_cast<size_t>(options.max_images * buffer.shape.elements());
    buffer.values.resize(elements);
    const bool wanted = options.training && (i > 0 || options.input_gradient ||
                                             buffers_.size() == 1);
    if (wanted) buffer.gradients.resize(elements);
  }
}

template <class T>
T* ReferenceNetwork<T>::Values(size_t buffer, int64_t image) {
  return buffers_[buffer].values.data() +
         image * buffers_[buffer].shape.elements();
}

template <class T>
T* ReferenceNetwork<T>::Gradients(size_t buffer, int64_t image) {
  return buffers_[buffer].gradients.data() +
         image * buffers_[buffer].shape.elements();
}

template <class T>
std::span<T> ReferenceNetwork<T>::input(int64_t image) {
  return {Values(0, image), static_cast<size_t>(buffers_[0].shape.elements())};
}

template <class T>
std::span<T> ReferenceNetwork<T>::input_gradient(int64_t image) {
  ALEXNET_CHECK(options_.input_gradient);
  return {Gradients(0, image),
          static_cast<size_t>(buffers_[0].shape.elements())};
}

template <class T>
std::span<const T> ReferenceNetwork<T>::logits(int64_t image) const {
  const Buffer& last = buffers_.back();
  const auto classes = static_cast<size_t>(last.shape.elements());
  return {last.values.data() + static_cast<size_t>(image) * classes, classes};
}

template <class T>
std::span<T> ReferenceNetwork<T>::logits_gradient(int64_t image) {
  const auto classes = static_cast<size_t>(buffers_.back().shape.elements());
  return {Gradients(buffers_.size() - 1, image), classes};
}

template <class T>
void ReferenceNetwork<T>::Forward(int64_t images, const DropoutKeys* dropout) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (int64_t n = 0; n < images; ++n) {
      std::visit(ForwardOp{*this, nodes_[i], i, n, dropout}, nodes_[i].op);
    }
  }
}

template <class T>
void ReferenceNetwork<T>::ZeroGradients() {
  for (std::vector<T>& gradient : gradients_) {
    std::fill(gradient.begin(), gradient.end(), T(0));
  }
}

template <class T>
void ReferenceNetwork<T>::Backward(int64_t images, const DropoutKeys* dropout) {
  for (size_t i = nodes_.size(); i-- > 0;) {
    for (int64_t n = 0; n < images; ++n) {
      std::visit(BackwardOp{*this, nodes_[i], i, n, dropout}, nodes_[i].op);
    }
  }
}

template <class T>
int64_t ReferenceNetwork<T>::activation_bytes() const {
  size_t bytes = 0;
  for (const Buffer& buffer : buffers_) bytes += buffer.values.size();
  bytes *= sizeof(T);
  for (const Node& node : nodes_) bytes += node.argmax.size() * sizeof(int32_t);
  return static_cast<int64_t>(bytes);
}

template <class T>
int64_t ReferenceNetwork<T>::activation_gradient_bytes() const {
  size_t values = 0;
  for (const Buffer& buffer : buffers_) values += buffer.gradients.size();
  return static_cast<int64_t>(values * sizeof(T));
}

template class ReferenceNetwork<float>;
template class ReferenceNetwork<double>;

}  // namespace alexnet
