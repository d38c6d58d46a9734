// SPDX-License-Identifier: MIT
// A classifier from nothing: trains LeNet-5 on drawn images, tests it, and asks
// it about one of them.
#include <alexnet/alexnet.h>

#include <iostream>
#include <vector>

int main() {
  const auto training = alexnet::MakeShapes({}, alexnet::Split::kTrain);
  const auto test = alexnet::MakeShapes({.count = 500}, alexnet::Split::kTest);

  alexnet::EngineSpec spec;
  spec.model = alexnet::MakePreset("lenet5");
  spec.source = training->image_shape();
  spec.batch_size = 32;
  const auto engine = alexnet::MakeEngine(spec);
  alexnet::Initialize(*engine, /*seed=*/0);

  alexnet::TrainHooks hooks;
  hooks.on_step = [](const alexnet::StepReport& report) {
    if (report.batch % 100 != 0) return;
    std::cout << "step " << report.position.step << ", loss "
              << report.result.loss << "\n";
  };
  alexnet::TrainPosition position;
  alexnet::Train(*engine, *training, /*validation=*/nullptr,
                 {.epochs = 1, .shuffle = true}, position, hooks);
  const alexnet::Evaluation result = alexnet::Evaluate(*engine, *test);
  std::cout << "accuracy on " << result.images
            << " other images: " << 100 * result.top1() << " %\n";

  std::vector<uint8_t> pixels(
      static_cast<size_t>(test->image_shape().elements()));
  test->Read(0, pixels);
  alexnet::Batch batch;
  batch.images = {.pixels = pixels, .shape = test->image_shape()};
  std::vector<float> logits(static_cast<size_t>(spec.model.classes));
  engine->Infer(batch, logits);
  const alexnet::ClassProbability best = alexnet::RankClasses(logits).front();
  const auto& names = test->class_names();
  std::cout << "the first is a " << names.at(size_t(test->label(0)))
            << " and was taken for a " << names.at(size_t(best.label)) << "\n";
}
