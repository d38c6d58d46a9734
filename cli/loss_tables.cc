// SPDX-License-Identifier: MIT
#include "loss_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "alexnet/error.h"
#include "train/run.h"

namespace alexnet::cli {
namespace {

std::vector<std::string_view> Fields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t comma = line.find(',');
    fields.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return fields;
    line.remove_prefix(comma + 1);
  }
}

// Two columns of a table of numbers; rows where the second is empty are left
// out.
struct Columns {
  std::vector<double> x;
  std::vector<double> y;
};

class Table {
 public:
  explicit Table(const std::filesystem::path& path) : path_(path), in_(path) {
    if (!in_ || !std::getline(in_, line_)) {
      throw Error(path.string() +
                  ": cannot be read; expected the table that a training run "
                  "writes");
    }
    header_ = line_;
  }

  Columns Read(std::string_view x, std::string_view y) {
    const size_t x_at = Find(x);
    const size_t y_at = Find(y);
    const size_t width = Fields(header_).size();
    Columns columns;
    while (std::getline(in_, line_)) {
      ++number_;
      // A line without its end is one that a crash cut short.
      if (in_.eof()) break;
      const auto fields = Fields(line_);
      if (fields.size() != width) {
        Fail(fmt::format("{} fields", width), fmt::format("{}", fields.size()));
      }
      if (fields[y_at].empty()) continue;
      columns.x.push_back(Number(fields[x_at]));
      columns.y.push_back(Number(fields[y_at]));
      if (columns.x.size() > 1 && columns.x.end()[-1] <= columns.x.end()[-2]) {
        Fail(fmt::format("{} that rises", x), std::string(fields[x_at]));
      }
    }
    return columns;
  }

 private:
  [[noreturn]] void Fail(const std::string& expected,
                         const std::string& found) const {
    throw Error(fmt::format("{}: line {}: expected {}, found {}",
                            path_.string(), number_, expected, found));
  }

  size_t Find(std::string_view name) const {
    const auto names = Fields(header_);
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) {
      Fail(fmt::format("a column {}", name), header_.substr(0, 80));
    }
    return static_cast<size_t>(at - names.begin());
  }

  double Number(std::string_view text) const {
    double value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      Fail("a number", fmt::format("\"{}\"", text.substr(0, 40)));
    }
    return value;
  }

  std::filesystem::path path_;
  std::ifstream in_;
  std::string line_;
  std::string header_;
  int64_t number_ = 1;
};

}  // namespace

LossSeries ReadLosses(const std::filesystem::path& run_folder) {
  LossSeries series;
  Columns losses = Table(run_folder / kStepsFile).Read("step", "loss");
  series.steps = std::move(losses.x);
  series.losses = std::move(losses.y);
  if (std::filesystem::exists(run_folder / kEpochsFile)) {
    Columns held_out = Table(run_folder / kEpochsFile).Read("step", "val_loss");
    series.validation_steps = std::move(held_out.x);
    series.validation_losses = std::move(held_out.y);
  }
  return series;
}

}  // namespace alexnet::cli
