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

TEST(Precision, OthersThanFloat32NeedAGpu) {
  EngineSpec spec;
  spec.model = MakePreset("lenet5");
  spec.source = {3, 32, 32};
  spec.device = Device::kReference;
  spec.precision = Precision::kTf32;
  EXPECT_THAT(
      [&] { MakeEngine(spec); },
      ThrowsMessage<UsageError>(HasSubstr("the reference engine has no tf32")));
}

// A checkpoint may come from the other kind of machine.
TEST(MakeEngine, IgnoresThePlanOfAGpuOnTheCpu) {
  EngineSpec spec;
  spec.model = MakePreset("lenet5");
  spec.source = {3, 32, 32};
  spec.device = Device::kReference;
  spec.kernel_plan = "cuda slice 32\nfeatures.0 forward direct\n";
  EXPECT_NO_THROW(MakeEngine(spec));
}

}  // namespace
}  // namespace alexnet
