// SPDX-License-Identifier: MIT
// Lists of pictures: a path and a label a line.
#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>

#include "alexnet/error.h"
#include "image/picture_dataset.h"
#include "image/picture_labels.h"
#include "io/bytes.h"

namespace alexnet {
namespace {

constexpr std::string_view kSpace = " \t\r";
constexpr std::string_view kClassesFile = "classes.txt";

std::string Trimmed(const std::string& line) {
  const size_t first = line.find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  return line.substr(first, line.find_last_not_of(kSpace) - first + 1);
}

std::ifstream Open(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::error_code ignored;
  if (!in || std::filesystem::is_directory(file, ignored)) {
    throw Error(file.string() + ": cannot be read as a list of pictures");
  }
  return in;
}

std::optional<int64_t> AsNumber(const std::string& text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

std::vector<std::string> ReadLines(const std::filesystem::path& file) {
  std::ifstream in = Open(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    line = Trimmed(line);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

// The numbers 0 … most as names, where there is nothing better.
std::vector<std::string> NumbersAsNames(const std::vector<ListedPicture>& all) {
  int64_t most = 0;
  for (const ListedPicture& one : all) {
    most = std::max(most, AsNumber(one.label).value_or(0));
  }
  std::vector<std::string> names;
  for (int64_t i = 0; i <= std::min(most, kMaxClasses); ++i) {
    names.push_back(Concat(i));
  }
  return names;
}

std::vector<std::string> WordsAsNames(const std::vector<ListedPicture>& all) {
  std::set<std::string> words;
  for (const ListedPicture& one : all) words.insert(one.label);
  return {words.begin(), words.end()};
}

}  // namespace

std::vector<ListedPicture> ReadListedPictures(
    const std::filesystem::path& file) {
  std::ifstream in = Open(file);
  std::vector<ListedPicture> all;
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    line = Trimmed(line);
    if (line.empty()) continue;
    const size_t space = line.find_last_of(kSpace);
    if (space == std::string::npos) {
      throw Error(Concat(file.string(), ": line ", number, ": found ",
                         Quoted(line), ", expected a path and a label"));
    }
    all.push_back(
        {Trimmed(line.substr(0, space)), line.substr(space + 1), number});
  }
  if (all.empty()) throw Error(file.string() + ": lists no pictures");
  return all;
}

bool LabelsAreNumbers(const std::vector<ListedPicture>& all) {
  return std::ranges::all_of(all, [](const ListedPicture& one) {
    return AsNumber(one.label).has_value();
  });
}

int32_t LabelOf(const std::filesystem::path& file, const ListedPicture& one,
                bool numbers, const std::vector<std::string>& classes) {
  const auto classes_there = std::ssize(classes);
  int64_t label = -1;
  if (numbers) {
    label = AsNumber(one.label).value_or(-1);
  } else {
    const auto found = std::ranges::find(classes, one.label);
    if (found != classes.end()) label = found - classes.begin();
  }
  if (label < 0 || label >= classes_there) {
    throw Error(Concat(file.string(), ": line ", one.line, ": label ",
                       Quoted(one.label), ", expected one of the ",
                       classes_there, " classes",
                       numbers ? Concat(", 0 to ", classes_there - 1) : ""));
  }
  return static_cast<int32_t>(label);
}

PictureSet ReadPictureList(const std::filesystem::path& file,
                           const std::string& name,
                           const std::vector<std::string>& known_classes) {
  PictureSet set{.name = name,
                 .source = file,
                 .root = file.parent_path(),
                 .files = {},
                 .class_names = known_classes};
  const std::vector<ListedPicture> all = ReadListedPictures(file);
  const bool numbers = LabelsAreNumbers(all);
  const auto names_file = set.root / kClassesFile;
  std::error_code ignored;
  if (set.class_names.empty()) {
    if (std::filesystem::exists(names_file, ignored)) {
      set.class_names = ReadLines(names_file);
    } else {
      set.class_names = numbers ? NumbersAsNames(all) : WordsAsNames(all);
    }
  }
  for (const ListedPicture& one : all) {
    try {
      set.files.push_back(LookAtFile(set.root, one.path));
    } catch (const Error& error) {
      throw Error(
          Concat(file.string(), ": line ", one.line, ": ", error.what()));
    }
    set.files.back().label = LabelOf(file, one, numbers, set.class_names);
  }
  return set;
}

}  // namespace alexnet
