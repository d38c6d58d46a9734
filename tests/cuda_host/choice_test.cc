// SPDX-License-Identifier: MIT
// Which of the engines that cudnn.cc offers the CUDA engine takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "alexnet/error.h"
#include "engine/op_cases.h"

namespace alexnet {
namespace {

using ::testing::_;
using ::testing::AnyOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

std::unique_ptr<Engine> Make(Precision precision, Algorithms algorithms,
                             const std::string& plan = "") {
  EngineSpec spec;
  spec.model = testing_support::Net(
      {3, 8, 8}, {testing_support::Conv(3, 4, {3, 3}, {1, 1}, {1, 1, 1, 1}),
                  testing_support::Conv(4, 4, {3, 3})});
  spec.source = spec.model.input;
  spec.batch_size = 2;
  spec.training = true;
  spec.device = Device::kCuda;
  spec.precision = precision;
  spec.algorithms = algorithms;
  spec.kernel_plan = plan;
  return MakeEngine(spec);
}

using Choices = std::map<std::string, std::string>;

// By layer and pass, of the two convolutions; the first one's to the data is
// not there.
Choices Chosen(const Engine& engine) {
  std::istringstream lines(engine.kernel_plan());
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "cuda slice 2");
  Choices chosen;
  while (std::getline(lines, line)) {
    const size_t end = line.rfind(' ');
    chosen[line.substr(0, end)] = line.substr(end + 1);
  }
  EXPECT_THAT(chosen, SizeIs(5));
  return chosen;
}

TEST(CudnnEngines, AreThoseThatKeepThePromises) {
  const auto exact = Make(Precision::kFloat32, Algorithms::kExact);
  EXPECT_THAT(exact->library(), HasSubstr("the host as a GPU"));
  EXPECT_THAT(Chosen(*exact), Each(Pair(_, "f0:0=3")));
  EXPECT_THAT(Chosen(*Make(Precision::kFloat32, Algorithms::kFast)),
              Each(Pair(_, AnyOf("f0:0=3", "f3:0=3"))));
  EXPECT_THAT(Chosen(*Make(Precision::kTf32, Algorithms::kFast)),
              Each(Pair(_, AnyOf("f0:0=3", "f2:0=3"))));
  const auto narrow = Make(Precision::kBfloat16, Algorithms::kFast);
  for (const auto& [pass, engine] : Chosen(*narrow)) {
    // Weight gradients come in whichever type is faster.
    if (!pass.ends_with("weights")) {
      EXPECT_EQ(engine[0], 'b') << pass;
    }
    EXPECT_THAT(engine.substr(1), AnyOf("0:0=3", "2:0=3")) << pass;
  }
}

TEST(StagedImages, AreLeftToTheBatchesWhereTheGpuHasNoRoom) {
  const auto engine = Make(Precision::kFloat32, Algorithms::kExact);
  const std::vector<uint8_t> pixels(2 * 3 * 8 * 8);
  const ImageView images = {pixels, {3, 8, 8}};
  EXPECT_EQ(engine->Stage(images).id, 0);
  setenv("CUDA_HOST_BYTES", "67108864", 1);  // what is to be left
  const StagedImages refused = engine->Stage(images);
  unsetenv("CUDA_HOST_BYTES");
  EXPECT_EQ(refused.id, -1);
  EXPECT_EQ(engine->Stage(images).id, 1);
}

// Both types are there to be chosen from.
TEST(CudnnEngines, WriteWeightGradientsInEitherType) {
  for (const std::string engine : {"f0:0=3", "b0:0=3"}) {
    std::string plan = "cuda slice 2\n";
    for (const auto& [pass, choice] :
         Chosen(*Make(Precision::kBfloat16, Algorithms::kFast))) {
      plan += Concat(pass, " ", pass.ends_with("weights") ? engine : "b0:0=3",
                     "\n");
    }
    EXPECT_EQ(
        Make(Precision::kBfloat16, Algorithms::kFast, plan)->kernel_plan(),
        plan);
  }
}

TEST(CudnnEngines, ThatAPlanNamesAreTakenAgain) {
  const Choices passes = Chosen(*Make(Precision::kTf32, Algorithms::kFast));
  for (const char* engine : {"f2:0=3", "f0:0=3", "direct"}) {
    std::string plan = "cuda slice 2\n";
    for (const auto& [pass, choice] : passes) {
      plan += Concat(pass, " ", engine, "\n");
    }
    EXPECT_EQ(Make(Precision::kTf32, Algorithms::kFast, plan)->kernel_plan(),
              plan);
  }
}

}  // namespace
}  // namespace alexnet
