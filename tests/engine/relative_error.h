// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>

namespace alexnet::testing_support {

// ‖a − b‖ / ‖b‖, or ‖a‖ where b is zero.
template <class A, class B>
double RelativeError(const A& a, const B& b) {
  double difference = 0;
  double squares = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const auto x = static_cast<double>(a[i]);
    const auto y = static_cast<double>(b[i]);
    difference += (x - y) * (x - y);
    squares += y * y;
  }
  return std::sqrt(squares > 0 ? difference / squares : difference);
}

}  // namespace alexnet::testing_support
