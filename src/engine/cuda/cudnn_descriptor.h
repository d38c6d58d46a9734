// SPDX-License-Identifier: MIT
// cuDNN's graph descriptors: made, filled with attributes, finalized.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "engine/cuda/check_libraries.h"

namespace alexnet::cuda {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(cudnnBackendDescriptorType_t type) {
    CHECK_CUDNN(cudnnBackendCreateDescriptor(type, handle_.out()),
                "cuDNN descriptor");
  }

  cudnnBackendDescriptor_t get() const { return handle_.get(); }

  Descriptor& Set(cudnnBackendAttributeName_t name,
                  cudnnBackendAttributeType_t type, int64_t count,
                  const void* values) {
    CHECK_CUDNN(cudnnBackendSetAttribute(get(), name, type, count, values),
                Concat("cuDNN attribute ", static_cast<int>(name)));
    return *this;
  }
  Descriptor& Set(cudnnBackendAttributeName_t name, int64_t value) {
    return Set(name, CUDNN_TYPE_INT64, 1, &value);
  }
  Descriptor& Set(cudnnBackendAttributeName_t name, float value) {
    return Set(name, CUDNN_TYPE_FLOAT, 1, &value);
  }
  Descriptor& Set(cudnnBackendAttributeName_t name, cudnnDataType_t value) {
    return Set(name, CUDNN_TYPE_DATA_TYPE, 1, &value);
  }
  Descriptor& Set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    const cudnnBackendDescriptor_t raw = value.get();
    return Set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
  }
  template <size_t n>
  Descriptor& Set(cudnnBackendAttributeName_t name,
                  const std::array<int64_t, n>& values) {
    return Set(name, CUDNN_TYPE_INT64, n, values.data());
  }
  Descriptor& Finalize(const char* what) {
    CHECK_CUDNN(cudnnBackendFinalize(get()), what);
    return *this;
  }

  // The one value of an attribute of a finalized descriptor.
  int64_t GetInt(cudnnBackendAttributeName_t name) const {
    int64_t value = 0;
    int64_t count = 0;
    CHECK_CUDNN(cudnnBackendGetAttribute(get(), name, CUDNN_TYPE_INT64, 1,
                                         &count, &value),
                Concat("cuDNN attribute ", static_cast<int>(name)));
    return value;
  }
  // The values, `most` at most, of an attribute that holds descriptors.
  std::vector<Descriptor> GetAll(cudnnBackendAttributeName_t name,
                                 cudnnBackendDescriptorType_t type,
                                 int64_t most) const {
    std::vector<Descriptor> all;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (int64_t i = 0; i < most; ++i) {
      raw.push_back(all.emplace_back(type).get());
    }
    int64_t count = 0;
    CHECK_CUDNN(
        cudnnBackendGetAttribute(get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                 most, &count, raw.data()),
        Concat("cuDNN attribute ", static_cast<int>(name)));
    all.resize(static_cast<size_t>(std::min(count, most)));
    return all;
  }

 private:
  Handle<cudnnBackendDescriptor_t, cudnnBackendDestroyDescriptor> handle_;
};

}  // namespace alexnet::cuda
