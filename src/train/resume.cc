// SPDX-License-Identifier: MIT
#include "train/resume.h"

#include "alexnet/error.h"

namespace alexnet {
namespace {

struct Texts {
  std::string name;
  std::string value;
  OnResume on_resume;
};

std::vector<Texts> AllTexts(const RunOptions& options) {
  std::vector<Texts> all;
  ForEachOption(options, [&](const auto& value, const OptionInfo& info) {
    all.push_back({std::string(info.name), OptionText(value), info.on_resume});
  });
  return all;
}

bool LeftToTheProgram(const Texts& option) {
  return (option.name == "device" && option.value == "auto") ||
         (option.name == "threads" && option.value == "0");
}

}  // namespace

ResumedOptions MergeForResume(const RunOptions& checkpoint,
                              const RunOptions& now) {
  ResumedOptions merged{.options = checkpoint, .changes = {}};
  merged.options.given = now.given;
  const std::vector<Texts> before = AllTexts(checkpoint);
  const std::vector<Texts> given = AllTexts(now);
  std::string refused;
  for (size_t i = 0; i < given.size(); ++i) {
    const Texts& option = given[i];
    if (option.on_resume == OnResume::kSession) {
      CopyOption(now, option.name, merged.options);
      continue;
    }
    if (!now.given.contains(option.name) || LeftToTheProgram(option) ||
        option.value == before[i].value) {
      continue;
    }
    if (option.on_resume == OnResume::kRefused) {
      refused += Concat(refused.empty() ? "" : "; ", option.name,
                        ": the checkpoint has ", before[i].value, ", given ",
                        option.value);
      continue;
    }
    CopyOption(now, option.name, merged.options);
    merged.changes.push_back(
        Concat(option.name, ": ", before[i].value, ", now ", option.value));
  }
  // What suited one device need not fit another.
  if (merged.options.device != checkpoint.device &&
      !now.given.contains("slice-size")) {
    merged.options.slice_size = 0;
  }
  if (!refused.empty()) {
    throw UsageError(
        "a resumed run cannot change what its steps so far were made with (" +
        refused + "); leave the option out, or begin a new run");
  }
  return merged;
}

}  // namespace alexnet
