// SPDX-License-Identifier: MIT
// Named sets of options: the files of recipes/, which travel in the program. A
// line is `option = value`, or a comment after #; the first line tells what the
// recipe is for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "train/run_options.h"

namespace alexnet {

struct Recipe {
  std::string_view name;
  std::string_view text;
  std::string_view help() const;  // the first line
};

const std::vector<Recipe>& Recipes();

// UsageError with the known names if there is none of this name.
const Recipe& FindRecipe(std::string_view name);

// Sets the options that the text speaks of. UsageError, naming the recipe and
// the line, for one that makes no sense or is of an invocation, not of a
// training.
void ReadRecipe(const Recipe& recipe, RunOptions& options);

// Sets the options that the recipe speaks of, except those in options.given,
// and options.recipe. UsageError with the known names if `name` is unknown.
void ApplyRecipe(std::string_view name, RunOptions& options);

}  // namespace alexnet
