// SPDX-License-Identifier: MIT
#include "io/npy.h"

#include "io_test_util.h"

namespace alexnet {
namespace {

TEST(NpyTest, WritesWhatNumPyWrites) {
  const TempFile file(".npy");
  NpyWriter writer(file.path(), 2, 3);
  writer.Write(std::vector<float>{1, 2, 3});
  EXPECT_FALSE(std::filesystem::exists(file.path()));
  EXPECT_THROW(writer.Commit(), std::logic_error);
  EXPECT_THROW(writer.Write(std::vector<float>{1}), std::logic_error);
  writer.Write(std::vector<float>{4, 5, 6});
  writer.Commit();
  // numpy.save of the same array, 1.24: format 1.0, 118 bytes of header.
  std::string expected("\x93NUMPY\1\0v\0", 10);
  expected += "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  expected.resize(127, ' ');
  expected += '\n';
  const float values[] = {1, 2, 3, 4, 5, 6};
  expected.append(reinterpret_cast<const char*>(values), sizeof values);
  EXPECT_EQ(ReadAll(file.path()), expected);
}

}  // namespace
}  // namespace alexnet
