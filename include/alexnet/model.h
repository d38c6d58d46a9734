// SPDX-License-Identifier: MIT
// A network as plain data. Everything that depends on the network (shapes,
// parameter names, counts, memory, engines, exporters) is derived from a
// ModelSpec and from nothing else.
//
// Dimension alphabet, used everywhere: N images, C channels, H height,
// W width, K output channels, R×S kernel, P×Q output.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace alexnet {

struct Size2 {
  int64_t height = 1;
  int64_t width = 1;
  bool operator==(const Size2&) const = default;
};

// Zeros (convolution) or minus infinities (max pooling) around the input.
struct Padding {
  int64_t top = 0;
  int64_t left = 0;
  int64_t bottom = 0;
  int64_t right = 0;
  bool operator==(const Padding&) const = default;
};

// Shape of one image's activation; a flat vector has height = width = 1.
struct Shape3 {
  int64_t channels = 0;
  int64_t height = 1;
  int64_t width = 1;
  constexpr int64_t elements() const { return channels * height * width; }
  bool operator==(const Shape3&) const = default;
};

// y[n,k,p,q] = b[k] + Σ_{c,r,s} x[n, c, p·stride+r−top,
// q·stride+s−left]·w[k,c,r,s]; c runs over the group of k. Weight K × C/groups
// × R × S, bias K. With ceil_mode the output is one larger where the stride
// does not divide, as in Krizhevsky's 2012 source; the missing inputs are
// zeros.
struct Conv2dSpec {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  Size2 kernel = {};
  Size2 stride = {};
  Padding padding = {};
  int64_t groups = 1;
  bool ceil_mode = false;
};

// y = max(x, 0), written over x.
struct ReluSpec {};

// PyTorch's definition: y[c] = x[c] / (k + alpha/size · Σ x[c']²)^beta, with
// c' from c − size/2 to c + (size−1)/2, zeros outside. The 2012 paper sums
// alpha·x² without dividing but its released code divides; in this form the
// paper is size 5, alpha 1e-4, beta 0.75, k 2, and Caffe the same with k 1.
struct LocalResponseNormSpec {
  int64_t size = 5;
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 1.0;
};

// The same over a square of neighbours within one channel, as in
// Krizhevsky's 2012 source: y = x / (k + alpha/size² · Σ x'²)^beta, with x'
// from row p − size/2 to p + (size−1)/2 and as many columns, zeros outside.
// Size 1 or any other odd number.
struct MapResponseNormSpec {
  int64_t size = 5;
  double alpha = 1e-3;
  double beta = 0.75;
  double k = 1.0;
};

// Largest value of each window; the first in index order wins a tie, and a
// NaN wins over everything (PyTorch). In ceil mode the last window must still
// begin inside the input or its leading padding.
struct MaxPool2dSpec {
  Size2 kernel = {};
  Size2 stride = {};
  Padding padding = {};
  bool ceil_mode = false;
};

// C×H×W to a vector, in that order.
struct FlattenSpec {};

// Inverted dropout: in training each element is zeroed with probability p and
// the others multiplied by 1/(1−p); the identity otherwise.
struct DropoutSpec {
  double p = 0.5;
};

// y = x·wᵀ + b. Weight out × in, bias out.
struct LinearSpec {
  int64_t in_features = 0;
  int64_t out_features = 0;
};

using LayerOp = std::variant<Conv2dSpec, ReluSpec, LocalResponseNormSpec,
                             MapResponseNormSpec, MaxPool2dSpec, FlattenSpec,
                             DropoutSpec, LinearSpec>;

// How a layer's parameters begin.
enum class InitKind {
  kTorch,   // PyTorch's default: U(−1/√fan_in, 1/√fan_in), biases too
  kNormal,  // weights N(0, std), biases constant
  kHe,      // weights N(0, √(2/fan_in)), biases constant
};
struct InitSpec {
  InitKind kind = InitKind::kTorch;
  double std = 0;   // of kNormal
  double bias = 0;  // of kNormal and kHe
  bool operator==(const InitSpec&) const = default;
};

// What the learning rate and the weight decay are multiplied by for a layer's
// parameters: lr_mult and decay_mult of Caffe.
struct RateSpec {
  double weight_lr = 1;
  double bias_lr = 1;
  double weight_decay = 1;
  double bias_decay = 1;
  bool operator==(const RateSpec&) const = default;
};

struct LayerSpec {
  std::string name;  // PyTorch's module path, "features.0"
  LayerOp op;
  InitSpec init = {};
  RateSpec rates = {};
  bool frozen = false;  // its parameters are not trained
};

struct ModelSpec {
  std::string arch;  // the preset's name
  Shape3 input;
  int64_t classes = 0;
  std::vector<LayerSpec> layers;
};

struct ParameterInfo {
  std::string name;            // "features.0.weight"
  std::vector<int64_t> shape;  // OIHW, out × in, or one dimension (bias)
  int64_t elements = 0;
  size_t layer = 0;    // index into ModelSpec::layers
  bool bias = false;   // else weight
  int64_t fan_in = 0;  // inputs per output: C/groups·R·S, or in_features
  InitSpec init = {};
  double lr_multiplier = 1;
  double decay_multiplier = 1;
  bool frozen = false;
};

struct LayerInfo {
  std::string name;
  std::string type;  // PyTorch's class name, "Conv2d"
  Shape3 input;
  Shape3 output;
  int64_t parameters = 0;
  int64_t macs = 0;  // multiply-adds of one image's forward pass
};

// "Conv2d", "ReLU", "LocalResponseNorm", …
std::string_view TypeName(const LayerOp& op);

// Shapes through the network, one entry per layer. Throws UsageError, naming
// the layer, where shapes do not fit, a size is not positive, a probability
// is outside [0, 1), or the last layer does not yield `classes` values.
std::vector<LayerInfo> InferLayers(const ModelSpec& model);

// Parameters in PyTorch's state_dict order: weight, then bias, layer by layer.
std::vector<ParameterInfo> Parameters(const ModelSpec& model);

int64_t ParameterCount(const ModelSpec& model);

struct PresetOptions {
  int64_t classes = 10;
  double dropout = 0.5;
};

// The networks known by name; each is described in one file of src/model/.
std::vector<std::string> PresetNames();

// Throws UsageError with the known names when `arch` is none of them.
ModelSpec MakePreset(std::string_view arch, const PresetOptions& options = {});

// Gives every layer with parameters this way to begin.
void SetInit(ModelSpec& model, const InitSpec& init);

// He's for all layers but the last, whose weights are N(0, 0.01): with He's
// there as well the first guesses would be sure ones, and wrong.
void SetHeInit(ModelSpec& model);

// Freezes the layers of these names and those below them: "features" means
// features.0, features.3, … UsageError for a name that no layer with parameters
// has.
void Freeze(ModelSpec& model, std::span<const std::string> names);

// "U(±1/√fan_in)", "N(0, 0.01), bias 1", "N(0, √(2/fan_in)), bias 0".
std::string Text(const InitSpec& init);

// The parameters that training begins with. Layers of InitKind::kTorch get the
// weights of PyTorch's default initialisation after torch.manual_seed(seed),
// bit for bit: kaiming_uniform(a=√5), which is U(−1/√fan_in, 1/√fan_in), for
// weights and biases alike. Normal values are functions of seed, parameter and
// element. `sink` receives the parameters one after the other, in the order of
// Parameters(model).
void InitialParameters(const ModelSpec& model, uint64_t seed,
                       const std::function<void(const ParameterInfo&,
                                                std::span<const float>)>& sink);

}  // namespace alexnet
