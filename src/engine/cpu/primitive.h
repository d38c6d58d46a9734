// SPDX-License-Identifier: MIT
// A thin layer over oneDNN: primitives made once, with their arguments, and
// then only executed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <oneapi/dnnl/dnnl.hpp>
#include <utility>
#include <vector>

#include "alexnet/model.h"
#include "core/arena.h"

namespace alexnet::cpu {

// oneDNN's handles for the CPU; one pair per engine of ours.
struct Dnnl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

using Desc = dnnl::memory::desc;

// In PyTorch's order.
Desc Plain(const std::vector<int64_t>& dims,
           dnnl::memory::data_type type = dnnl::memory::data_type::f32);
// In whatever layout the primitive likes best.
Desc AnyLayout(const std::vector<int64_t>& dims,
               dnnl::memory::data_type type = dnnl::memory::data_type::f32);

inline bool IsBfloat16(const Desc& desc) {
  return desc.data_type() == dnnl::memory::data_type::bf16;
}

inline int64_t Bytes(const Desc& desc) {
  return static_cast<int64_t>(desc.get_size());
}

inline int64_t Elements(const Desc& desc) {
  return Bytes(desc) / (IsBfloat16(desc) ? 2 : 4);
}

// A primitive bound to its memory; an empty one does nothing.
class Call {
 public:
  using Arguments = std::initializer_list<std::pair<int, dnnl::memory>>;
  Call() = default;
  Call(const dnnl::primitive& primitive, Arguments arguments);
  explicit operator bool() const { return static_cast<bool>(primitive_); }
  void operator()(const Dnnl& dnnl) const;

 private:
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;  // keeps the handles below alive
  std::vector<dnnl_exec_arg_t> arguments_;
};

dnnl::memory MemoryAt(const Dnnl& dnnl, const Desc& desc, void* data);

// Copies between layouts; nothing to do (an empty Call) where they are equal
// and the data is the same.
Call Reorder(const Dnnl& dnnl, const Desc& from_desc, void* from,
             const Desc& to_desc, void* to);

// Attributes with the scratchpad supplied by us, so that all primitives share
// the arena's.
dnnl::primitive_attr UserScratchpad();

}  // namespace alexnet::cpu
