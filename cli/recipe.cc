// SPDX-License-Identifier: MIT
// alexnet recipe: what a named set of options says.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "command_line.h"
#include "output.h"
#include "train/recipes.h"
#include "verbs.h"

namespace alexnet::cli {

Action AddRecipe(CLI::App& app) {
  const auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "the recipe to print; without it, a list");
  return [name] {
    Write(name->empty() ? RecipeHelp() + "\n"
                        : std::string(FindRecipe(*name).text));
    return 0;
  };
}

}  // namespace alexnet::cli
