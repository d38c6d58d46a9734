// SPDX-License-Identifier: MIT
// An activation (or gradient) in another layout, where one is needed; free
// where the layouts agree.
#pragma once

#include "engine/cpu/primitive.h"
#include "engine/cpu/unit.h"

namespace alexnet::cpu {

class LayoutChange {
 public:
  LayoutChange() = default;

  // From a buffer that exists to one of layout `to`, made if needed.
  LayoutChange(Builder& builder, const Desc& from_desc, Buffer* from,
               const Desc& to_desc, int tick)
      : from_desc_(from_desc), to_desc_(to_desc), from_(from), to_(from) {
    from->UseAt(tick);
    if (from_desc != to_desc) {
      to_ = builder.arena.Add("reordered", Bytes(to_desc), tick);
    }
  }

  // From one of layout `from`, made if needed, into a buffer that exists.
  static LayoutChange Into(Builder& builder, const Desc& from_desc,
                           const Desc& to_desc, Buffer* to, int tick) {
    LayoutChange change;
    change.from_desc_ = from_desc;
    change.to_desc_ = to_desc;
    change.from_ = change.to_ = to;
    to->UseAt(tick);
    if (from_desc != to_desc) {
      change.from_ = builder.arena.Add("reordered", Bytes(from_desc), tick);
    }
    return change;
  }

  Buffer* source() const { return from_; }
  Buffer* result() const { return to_; }

  void Bind(const Dnnl& dnnl) {
    if (from_ != to_) {
      call_ = Reorder(dnnl, from_desc_, from_->data, to_desc_, to_->data);
    }
  }

  void operator()(const Dnnl& dnnl) const { call_(dnnl); }

 private:
  Desc from_desc_, to_desc_;
  Buffer* from_ = nullptr;
  Buffer* to_ = nullptr;
  Call call_;
};

}  // namespace alexnet::cpu
