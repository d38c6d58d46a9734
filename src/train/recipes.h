// SPDX-License-Identifier: MIT
// Named sets of options.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "train/run_options.h"

namespace alexnet {

struct Recipe {
  std::string_view name;
  std::string_view help;
  void (*apply)(RunOptions&);
};

const std::vector<Recipe>& Recipes();

// Sets the options that the recipe speaks of, except those in options.given,
// and options.recipe. UsageError with the known names if `name` is unknown.
void ApplyRecipe(std::string_view name, RunOptions& options);

}  // namespace alexnet
