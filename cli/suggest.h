// SPDX-License-Identifier: MIT
// "Did you mean …?"
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace alexnet::cli {

// Fewest letters inserted, removed, replaced or swapped with their neighbour
// that turn one word into the other.
size_t EditDistance(std::string_view a, std::string_view b);

// The candidate that `word` is most likely a slip of, or "".
std::string Nearest(std::string_view word,
                    const std::vector<std::string>& candidates);

}  // namespace alexnet::cli
