// SPDX-License-Identifier: MIT
// Options from text.
#include <charconv>
#include <cmath>
#include <type_traits>

#include "alexnet/error.h"
#include "train/run_options.h"

namespace alexnet {
namespace {

[[noreturn]] void Refuse(std::string_view name, std::string_view text,
                         std::string_view expected) {
  throw UsageError(Concat(name, ": got ", text, ", expected ", expected));
}

template <class Number>
void Parse(std::string_view name, std::string_view text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) Refuse(name, text, "a number");
}
void Parse(std::string_view, std::string_view text, std::string& value) {
  value = text;
}
void Parse(std::string_view name, std::string_view text, bool& value) {
  if (text != "on" && text != "off") Refuse(name, text, "on or off");
  value = text == "on";
}
void Parse(std::string_view name, std::string_view text,
           std::array<float, 3>& value) {
  const std::vector<double> numbers = NumberList(name, text);
  if (numbers.size() != value.size()) Refuse(name, text, "three numbers");
  for (size_t i = 0; i < value.size(); ++i) {
    value[i] = static_cast<float>(numbers[i]);
  }
}

}  // namespace

std::vector<std::string> WordList(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    words.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return words;
}

std::vector<double> NumberList(std::string_view option, std::string_view text) {
  std::vector<double> numbers;
  for (const std::string& word : WordList(text)) {
    Parse(option, word, numbers.emplace_back());
  }
  return numbers;
}

void SetOption(RunOptions& options, std::string_view name,
               std::string_view text) {
  bool found = false;
  ForEachOption(options, [&](auto& value, const OptionInfo& info) {
    if (info.name != name) return;
    found = true;
    Parse(name, text, value);
  });
  if (!found) throw UsageError(Concat("there is no option ", name));
}

}  // namespace alexnet
