// SPDX-License-Identifier: MIT
#include "engine/cpu/primitive.h"

#include "alexnet/error.h"

namespace alexnet::cpu {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

Desc Plain(const std::vector<int64_t>& dims, Type type) {
  dnnl::memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return Desc(dims, type, strides);
}

Desc AnyLayout(const std::vector<int64_t>& dims, Type type) {
  return Desc(dims, type, Tag::any);
}

Call::Call(const dnnl::primitive& primitive, Arguments arguments)
    : primitive_(primitive) {
  for (const auto& [slot, memory] : arguments) {
    memories_.push_back(memory);
    arguments_.push_back({slot, memory.get()});
  }
}

void Call::operator()(const Dnnl& dnnl) const {
  if (!primitive_) return;
  const dnnl_status_t status = dnnl_primitive_execute(
      primitive_.get(), dnnl.stream.get(), static_cast<int>(arguments_.size()),
      arguments_.data());
  if (status != dnnl_success) {
    throw Error(Concat("oneDNN failed to run a primitive: status ",
                       static_cast<int>(status)));
  }
}

dnnl::memory MemoryAt(const Dnnl& dnnl, const Desc& desc, void* data) {
  return dnnl::memory(desc, dnnl.engine, data);
}

Call Reorder(const Dnnl& dnnl, const Desc& from_desc, void* from,
             const Desc& to_desc, void* to) {
  if (from == to && from_desc == to_desc) return {};
  const dnnl::reorder::primitive_desc plan(dnnl.engine, from_desc, dnnl.engine,
                                           to_desc);
  return Call(dnnl::reorder(plan),
              {{DNNL_ARG_FROM, MemoryAt(dnnl, from_desc, from)},
               {DNNL_ARG_TO, MemoryAt(dnnl, to_desc, to)}});
}

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

}  // namespace alexnet::cpu
