// SPDX-License-Identifier: MIT
#include "train/recipes.h"

#include <algorithm>

#include "alexnet/error.h"

namespace alexnet {
namespace {

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool BelongsToATraining(std::string_view name) {
  bool belongs = name != "recipe";
  ForEachOption(RunOptions(), [&](const auto&, const OptionInfo& info) {
    if (info.name == name && info.on_resume == OnResume::kSession) {
      belongs = false;
    }
  });
  return belongs;
}

void ReadLine(std::string_view line, RunOptions& options) {
  line = Trim(line.substr(0, line.find('#')));
  if (line.empty()) return;
  const size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    throw UsageError(Concat("got \"", line, "\", expected option = value"));
  }
  const std::string_view name = Trim(line.substr(0, equals));
  if (!BelongsToATraining(name)) {
    throw UsageError(Concat(name, " is no business of a recipe"));
  }
  SetOption(options, name, Trim(line.substr(equals + 1)));
}

}  // namespace

std::string_view Recipe::help() const {
  const std::string_view line = text.substr(0, text.find('\n'));
  return Trim(line.substr(std::min(line.find_first_not_of('#'), line.size())));
}

const Recipe& FindRecipe(std::string_view name) {
  std::string known;
  for (const Recipe& recipe : Recipes()) {
    if (recipe.name == name) return recipe;
    known += Concat(known.empty() ? "" : ", ", recipe.name);
  }
  throw UsageError(
      Concat("recipe: got \"", name, "\", expected one of ", known));
}

void ReadRecipe(const Recipe& recipe, RunOptions& options) {
  std::string_view rest = recipe.text;
  for (int line = 1; !rest.empty(); ++line) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    try {
      ReadLine(rest.substr(0, end), options);
    } catch (const UsageError& error) {
      throw UsageError(
          Concat("recipe ", recipe.name, ", line ", line, ": ", error.what()));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void ApplyRecipe(std::string_view name, RunOptions& options) {
  RunOptions result = options;
  ReadRecipe(FindRecipe(name), result);
  for (const std::string& given : options.given) {
    CopyOption(options, given, result);
  }
  result.recipe = name;
  options = std::move(result);
}

}  // namespace alexnet
