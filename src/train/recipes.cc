// SPDX-License-Identifier: MIT
#include "train/recipes.h"

#include "alexnet/error.h"

namespace alexnet {

const std::vector<Recipe>& Recipes() {
  static const std::vector<Recipe> recipes = {
      {"note", "the network and numbers of the original script",
       [](RunOptions& o) {
         o.arch = "note";
         o.epochs = 2;
         o.batch_size = 32;
         o.lr = 1e-3;
         o.dropout = 0.5;
         o.shuffle = false;
       }},
      {"quick", "trains well in minutes on the embedded images",
       [](RunOptions& o) {
         o.arch = "note";
         o.dataset = "shapes";
         o.shapes_count = 12'800;
         o.epochs = 1;
         o.batch_size = 32;
         o.lr = 3e-4;
         // In 400 steps nothing is seen twice: there is nothing to overfit.
         o.dropout = 0.1;
         o.shuffle = true;
       }},
  };
  return recipes;
}

void ApplyRecipe(std::string_view name, RunOptions& options) {
  std::string known;
  for (const Recipe& recipe : Recipes()) {
    if (recipe.name == name) {
      RunOptions result = options;
      recipe.apply(result);
      for (const std::string& given : options.given) {
        CopyOption(options, given, result);
      }
      result.recipe = name;
      options = std::move(result);
      return;
    }
    known += Concat(known.empty() ? "" : ", ", recipe.name);
  }
  throw UsageError(
      Concat("recipe: got \"", name, "\", expected one of ", known));
}

}  // namespace alexnet
