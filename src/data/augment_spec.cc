// SPDX-License-Identifier: MIT
#include "data/augment_spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "alexnet/error.h"

namespace alexnet {
namespace {

using enum AugmentKind;

constexpr AugmentInfo kTable[] = {
    {"rrc",
     kResizedCrop,
     "a random part, resized (RandomResizedCrop)",
     {{{"scale-from", 0.08, 0.0001, 1}, {"scale-to", 1, 0.0001, 1}}}},
    {"crop",
     kCrop,
     "a black border, then a random crop of the old size",
     {{{"border", 4, 1, 1024, true}}}},
    {"patch",
     kPatch,
     "a random square; the middle one for evaluation",
     {{{"side", 224, 1, 16384, true}}}},
    {"flip",
     kFlip,
     "left and right exchanged at random",
     {{{"probability", 0.5, 0, 1}}}},
    {"altflip",
     kAlternatingFlip,
     "every other epoch, from a random one of the first two on",
     {}},
    {"jitter",
     kJitter,
     "colour jitter, as far as each is given",
     {{{"brightness", 0, 0, 10},
       {"contrast", 0, 0, 10},
       {"saturation", 0, 0, 10},
       {"hue", 0, 0, 0.5}}}},
    {"pca",
     kPca,
     "the 2012 colour shift along the images' components",
     {{{"deviation", 0.1, 0, 10}}}},
    {"erase",
     kErase,
     "a random rectangle in the mean colour",
     {{{"probability", 0.5, 0, 1}}}},
    {"mixup",
     kMixup,
     "blended with another image, labels too",
     {{{"alpha", 0.2, 0.01, 1}}}},
    {"cutmix",
     kCutmix,
     "a rectangle of another image, labels too",
     {{{"alpha", 1, 0.01, 1}}}},
};

// Cuts `text` at the first `separator` and returns what stood before it.
std::string_view Next(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

size_t CountOf(const AugmentInfo& info) {
  size_t count = 0;
  while (count < info.arguments.size() && !info.arguments[count].name.empty()) {
    ++count;
  }
  return count;
}

double ParseArgument(const AugmentInfo& info, const AugmentArgument& argument,
                     std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  const bool good = result.ec == std::errc() && result.ptr == end &&
                    value >= argument.low && value <= argument.high &&
                    (!argument.whole || value == std::floor(value));
  if (!good) {
    throw UsageError(Concat("augment: ", info.name, ": ", argument.name,
                            ": got \"", text, "\", expected ",
                            argument.whole ? "a whole number" : "a number",
                            " from ", argument.low, " to ", argument.high));
  }
  return value;
}

const AugmentInfo& Lookup(std::string_view name) {
  std::string known;
  for (const AugmentInfo& info : kTable) {
    if (info.name == name) return info;
    known += Concat(known.empty() ? "" : ", ", info.name);
  }
  throw UsageError(
      Concat("augment: got \"", name, "\", expected some of ", known));
}

AugmentStep ParseStep(std::string_view text) {
  const AugmentInfo& info = Lookup(Next(text, ':'));
  AugmentStep step{info.kind, {}};
  const size_t count = CountOf(info);
  for (size_t i = 0; i < count; ++i) {
    const AugmentArgument& argument = info.arguments[i];
    step.values[i] = text.empty()
                         ? argument.value
                         : ParseArgument(info, argument, Next(text, ':'));
  }
  if (!text.empty()) {
    throw UsageError(Concat("augment: ", info.name, ": got \"", text,
                            "\" as well, expected ", count, " arguments"));
  }
  return step;
}

void Check(const AugmentSpec& spec) {
  const AugmentStep* part = spec.Find(kResizedCrop);
  if (part != nullptr && part->values[0] > part->values[1]) {
    throw UsageError(Concat("augment: rrc: scale from ", part->values[0],
                            " to ", part->values[1], ": the first is larger"));
  }
  if (spec.Find(kFlip) != nullptr && spec.Find(kAlternatingFlip) != nullptr) {
    throw UsageError("augment: flip and altflip: expected one of the two");
  }
}

}  // namespace

std::span<const AugmentInfo> AugmentTable() { return kTable; }

std::string AugmentHelp() {
  std::string text =
      "Augmentation (--augment), words separated by commas, arguments after "
      "colons:";
  for (const AugmentInfo& info : kTable) {
    std::string usage(info.name);
    for (size_t i = 0; i < CountOf(info); ++i) {
      usage +=
          Concat(":", info.arguments[i].name, "=", info.arguments[i].value);
    }
    text += Concat("\n  ", usage, "\n      ", info.help);
  }
  return text;
}

const AugmentStep* AugmentSpec::Find(AugmentKind kind) const {
  const auto found = std::ranges::find(steps, kind, &AugmentStep::kind);
  return found == steps.end() ? nullptr : &*found;
}

AugmentSpec ParseAugment(std::string_view text) {
  AugmentSpec spec;
  while (!text.empty()) {
    const std::string_view word = Next(text, ',');
    const AugmentStep step = ParseStep(word);
    if (spec.Find(step.kind) != nullptr) {
      throw UsageError(Concat("augment: \"", word, "\" is there twice"));
    }
    spec.steps.push_back(step);
  }
  Check(spec);
  return spec;
}

}  // namespace alexnet
