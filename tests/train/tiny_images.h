// SPDX-License-Identifier: MIT
// A handful of images in memory, made of their own numbers.
#pragma once

#include <string>
#include <vector>

#include "alexnet/dataset.h"

namespace alexnet {

class TinyImages : public Dataset {
 public:
  // Pixel 0 of image i is its label, as FakeEngine::Infer likes it, except
  // for each `wrong_every`-th image.
  explicit TinyImages(int64_t n, bool staged = true, int64_t wrong_every = 0)
      : staged_(staged) {
    for (int c = 0; c < 10; ++c) names_.push_back("class " + std::to_string(c));
    for (int64_t i = 0; i < n; ++i) {
      labels_.push_back(static_cast<int32_t>((i * 7) % 10));
      const bool wrong = wrong_every > 0 && i % wrong_every == 0;
      for (int64_t p = 0; p < image_shape().elements(); ++p) {
        pixels_.push_back(static_cast<uint8_t>(
            p == 0 ? labels_.back() + (wrong ? 1 : 0) : i * 13 + p * 5));
      }
    }
  }

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  Shape3 image_shape() const override { return {3, 4, 4}; }
  const std::vector<std::string>& class_names() const override {
    return names_;
  }
  int32_t label(int64_t index) const override {
    return labels_[static_cast<size_t>(index)];
  }
  void Read(int64_t index, std::span<uint8_t> pixels) const override {
    for (size_t p = 0; p < pixels.size(); ++p) {
      pixels[p] = pixels_[static_cast<size_t>(index) * pixels.size() + p];
    }
  }
  ImageView staged_view() const override {
    if (!staged_) return {};
    return {.pixels = pixels_, .shape = image_shape()};
  }
  std::string fingerprint() const override { return "tiny"; }

  std::vector<std::string> names_;
  std::vector<int32_t> labels_;

 private:
  bool staged_;
  std::vector<uint8_t> pixels_;
};

// A linear network on such images: 10 × 48 weights and 10 biases.
inline ModelSpec TinyModel() {
  return {.arch = "tiny",
          .input = {3, 4, 4},
          .classes = 10,
          .layers = {{"flatten", FlattenSpec{}},
                     {"drop", DropoutSpec{0.5}},
                     {"fc", LinearSpec{48, 10}}}};
}

inline EngineSpec TinySpec(int64_t batch_size = 4) {
  EngineSpec spec;
  spec.model = TinyModel();
  spec.source = {3, 4, 4};
  spec.batch_size = batch_size;
  spec.device = Device::kReference;
  spec.threads = 1;
  spec.seed = 11;
  return spec;
}

}  // namespace alexnet
