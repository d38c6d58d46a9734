// SPDX-License-Identifier: MIT
// A data set that lies in memory as one block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "alexnet/dataset.h"

namespace alexnet {

struct ImageBlock {
  std::string name;  // first part of the fingerprint
  Shape3 shape;
  std::vector<uint8_t> pixels;  // images × shape.elements(), planar
  std::vector<int32_t> labels;
  std::vector<std::string> class_names;
};

std::unique_ptr<Dataset> MakeDataset(ImageBlock block);

}  // namespace alexnet
