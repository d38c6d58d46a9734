// SPDX-License-Identifier: MIT
// Loading the CUDA engine: what is said when it cannot be had. The libraries
// here are small impostors; the real one is asked where it was built.
#include "engine/cuda_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/factories.h"
#include "engine/op_cases.h"

namespace alexnet {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

TEST(CudaLibrary, SaysWhereItLookedForOne) {
  const OpenedCudaLibrary opened = OpenCudaLibrary(
      {"/nowhere/libalexnet_cuda.so", "libalexnet_cuda_nowhere.so"});
  EXPECT_EQ(opened.library, nullptr);
  EXPECT_THAT(opened.problem,
              HasSubstr("looked for /nowhere/libalexnet_cuda.so, "
                        "libalexnet_cuda_nowhere.so"));
}

TEST(CudaLibrary, RefusesAFileThatIsNoLibrary) {
  const OpenedCudaLibrary opened = OpenCudaLibrary({"/etc/passwd"});
  EXPECT_THAT(opened.problem, HasSubstr("cannot be loaded: /etc/passwd"));
}

TEST(CudaLibrary, RefusesALibraryThatIsNotOurs) {
  const OpenedCudaLibrary opened = OpenCudaLibrary({ALEXNET_EMPTY_LIBRARY});
  EXPECT_EQ(opened.library, nullptr);
  EXPECT_THAT(opened.problem, HasSubstr("is not alexnet's CUDA library"));
}

TEST(CudaLibrary, RefusesAnotherBuildWithBothVersions) {
  const OpenedCudaLibrary opened = OpenCudaLibrary({ALEXNET_OLD_LIBRARY});
  EXPECT_EQ(opened.library, nullptr);
  EXPECT_THAT(opened.problem, HasSubstr("belongs to another build"));
  EXPECT_THAT(opened.problem, HasSubstr("'alexnet 0.0.0, "));
  EXPECT_THAT(opened.problem, HasSubstr(CudaLibraryAbi(ALEXNET_VERSION)));
}

TEST(CudaLibrary, ItsTextTellsTheLayoutOfWhatCrosses) {
  const std::string abi = CudaLibraryAbi(ALEXNET_VERSION);
  EXPECT_THAT(abi, HasSubstr(", 8 kinds of layers, layout "));
  EXPECT_THAT(abi, HasSubstr(Concat(" ", sizeof(LayerSpec), " ")));
  EXPECT_THAT(abi, HasSubstr(Concat(" ", sizeof(EngineSpec), " ")));
}

// Errors thrown inside the library arrive here as what they are.
TEST(CudaLibrary, PassesProblemsAndErrorsOn) {
  const OpenedCudaLibrary opened = OpenCudaLibrary({ALEXNET_FAKE_LIBRARY});
  ASSERT_THAT(opened.problem, IsEmpty());
  EXPECT_EQ(opened.library->problem(), "there is no driver");
  EXPECT_THAT([&] { opened.library->make({}); },
              ThrowsMessage<UsageError>("out of GPU memory"));
}

TEST(CudaLibrary, TheEnvironmentNamesTheOnlyFile) {
  setenv("ALEXNET_CUDA_LIBRARY", "/a/b.so", 1);
  EXPECT_THAT(CudaLibraryFiles(), ::testing::ElementsAre("/a/b.so"));
  unsetenv("ALEXNET_CUDA_LIBRARY");
  EXPECT_THAT(CudaLibraryFiles().back().string(), EndsWith(kCudaLibraryFile));
  EXPECT_GE(CudaLibraryFiles().size(), 3U);
}

#ifdef ALEXNET_CUDA_LIBRARY_BUILT
TEST(CudaLibrary, TheOneThatWasBuiltIsOurs) {
  const OpenedCudaLibrary opened =
      OpenCudaLibrary({ALEXNET_CUDA_LIBRARY_BUILT});
  ASSERT_NE(opened.library, nullptr) << opened.problem;
  const std::string problem = opened.library->problem();
  if (problem.empty()) {
    EXPECT_TRUE(HasCudaEngine());
  } else {
    EXPECT_THAT(problem, ::testing::AnyOf(HasSubstr("driver"),
                                          HasSubstr("compute capability")));
  }
}
#endif

// Counts, in every run of the tests, that the GPU's part did not run.
TEST(CudaEngine, IsTestedWhereThereIsAGpu) {
  if (!HasCudaEngine()) GTEST_SKIP() << "no GPU is tested: " << CudaProblem();
  EXPECT_THAT(testing_support::AvailableDevices(),
              ::testing::Contains(Device::kCuda));
}

EngineSpec SmallSpec(Device device) {
  EngineSpec spec;
  spec.model = MakePreset("lenet5");
  spec.source = {3, 32, 32};
  spec.device = device;
  return spec;
}

TEST(Precision, OthersThanFloat32NeedAGpu) {
  EngineSpec spec = SmallSpec(Device::kReference);
  spec.precision = Precision::kTf32;
  EXPECT_THAT(
      [&] { MakeEngine(spec); },
      ThrowsMessage<UsageError>(HasSubstr("the reference engine has no tf32")));
}

std::string NoProblem() { return ""; }

std::unique_ptr<Engine> Refuse(const EngineSpec&) {
  throw Error("layer conv1: the CUDA engine has no such thing\nand more");
}

// As with a GPU whose engine cannot do what is asked for.
constexpr CudaBackend kRefusing = {NoProblem, Refuse};

TEST(MakeEngine, AutoTakesTheCpuWhereTheGpuRefusesAndTellsWhy) {
  std::string why;
  const auto engine = MakeEngineWith(kRefusing, SmallSpec(Device::kAuto), &why);
  EXPECT_NE(engine->spec().device, Device::kCuda);
  EXPECT_EQ(why, "layer conv1: the CUDA engine has no such thing");
  EXPECT_NO_THROW(MakeEngineWith(kRefusing, SmallSpec(Device::kAuto), nullptr));
}

TEST(MakeEngine, CudaStopsWhereTheGpuRefuses) {
  EXPECT_THAT(
      [] { MakeEngineWith(kRefusing, SmallSpec(Device::kCuda), nullptr); },
      ThrowsMessage<Error>(HasSubstr("the CUDA engine has no such thing")));
}

TEST(MakeEngine, AutoTellsWhyThereIsNoGpu) {
  const CudaBackend none = {[] { return std::string("no driver"); }, Refuse};
  std::string why;
  EngineSpec spec = SmallSpec(Device::kAuto);
  MakeEngineWith(none, spec, &why);
  EXPECT_EQ(why, "no driver");
  spec.precision = Precision::kTf32;
  EXPECT_THAT([&] { MakeEngineWith(none, spec, nullptr); },
              ThrowsMessage<UsageError>(
                  HasSubstr("use fp32 (no GPU is used: no driver)")));
}

TEST(MakeEngine, SaysNothingOfAGpuThatNobodyAskedFor) {
  std::string why;
  MakeEngineWith(kRefusing, SmallSpec(Device::kReference), &why);
  EXPECT_EQ(why, "");
}

// A checkpoint may come from the other kind of machine.
TEST(MakeEngine, IgnoresThePlanOfAGpuOnTheCpu) {
  EngineSpec spec = SmallSpec(Device::kReference);
  spec.kernel_plan = "cuda slice 32\nfeatures.0 forward direct\n";
  EXPECT_NO_THROW(MakeEngine(spec));
}

}  // namespace
}  // namespace alexnet
