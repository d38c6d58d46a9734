// SPDX-License-Identifier: MIT
// Response normalisation within each map, image by image in plain layout, by
// the reference's loops. Only one network has it, and there it takes a few per
// cent of a step.
#include "engine/cpu/units.h"
#include "engine/reference/map_response_norm.h"

namespace alexnet::cpu {
namespace {

class MapNormUnit final : public Unit {
 public:
  MapNormUnit(Builder& builder, const std::string& name,
              const MapResponseNormSpec& spec, Activation input)
      : Unit(builder, name, std::move(input)),
        spec_(spec),
        images_(builder.slice) {
    input_.value->UseAt(builder.forward_tick());
    output_ = builder.MakeActivation(input_.shape, input_.flat, input_.desc);
    if (!input_.gradient) return;
    input_.value->UseAt(builder.backward_tick());
    input_.gradient->UseAt(builder.backward_tick());
  }

  void Bind() override {}

  // The padding images of a short slice too: what follows reads them.
  void Forward(const Slice&) override {
    const int64_t n = input_.shape.elements();
#pragma omp parallel for schedule(static)
    for (int64_t image = 0; image < images_; ++image) {
      reference::MapNormForward(output_.value->floats() + image * n,
                                input_.value->floats() + image * n,
                                input_.shape, spec_);
    }
  }

  void Backward(const Slice&) override {
    if (!input_.gradient) return;
    const int64_t n = input_.shape.elements();
#pragma omp parallel for schedule(static)
    for (int64_t image = 0; image < images_; ++image) {
      reference::MapNormBackward(input_.gradient->floats() + image * n,
                                 output_.gradient->floats() + image * n,
                                 input_.value->floats() + image * n,
                                 input_.shape, spec_);
    }
  }

 private:
  MapResponseNormSpec spec_;
  int64_t images_;
};

}  // namespace

std::unique_ptr<Unit> MakeMapNormUnit(Builder& builder, const std::string& name,
                                      const MapResponseNormSpec& spec,
                                      Activation input) {
  return std::make_unique<MapNormUnit>(builder, name, spec, std::move(input));
}

}  // namespace alexnet::cpu
