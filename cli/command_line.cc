// SPDX-License-Identifier: MIT
#include "command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <type_traits>

#include "train/recipes.h"

namespace alexnet::cli {
namespace {

template <class T>
CLI::Option* AddOne(CLI::App& app, T& value, const OptionInfo& info) {
  const std::string name(info.name);
  const std::string help(info.help);
  if constexpr (std::is_same_v<T, bool>) {
    return app.add_flag(fmt::format("--{0},!--no-{0}", name), value, help);
  } else {
    CLI::Option* option = app.add_option("--" + name, value, help);
    if (!OptionText(value).empty()) option->default_str(OptionText(value));
    if constexpr (std::is_same_v<T, std::array<float, 3>>) {
      option->delimiter(',');
    } else {
      option->take_last();
    }
    return option;
  }
}

}  // namespace

void AddRunOptions(CLI::App& app, RunOptions& options,
                   const std::vector<std::string_view>& names) {
  std::vector<std::pair<CLI::Option*, std::string>> added;
  ForEachOption(options, [&](auto& value, const OptionInfo& info) {
    const bool wanted = names.empty() || std::find(names.begin(), names.end(),
                                                   info.name) != names.end();
    if (!wanted) return;
    added.emplace_back(AddOne(app, value, info), info.name);
  });
  app.parse_complete_callback([added, &options] {
    for (const auto& [option, name] : added) {
      if (option->count() > 0) options.given.insert(name);
    }
  });
}

std::string RecipeHelp() {
  size_t width = 0;
  for (const Recipe& recipe : Recipes()) {
    width = std::max(width, recipe.name.size());
  }
  std::string text = "Recipes:";
  for (const Recipe& recipe : Recipes()) {
    text += fmt::format("\n  {:<{}}  {}", recipe.name, width, recipe.help());
  }
  return text;
}

}  // namespace alexnet::cli
