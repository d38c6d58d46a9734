// SPDX-License-Identifier: MIT
// What --augment asks for: "crop:4,flip,erase:0.25". The table in the source
// lists every word once; parsing, checking and help follow from it.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alexnet {

enum class AugmentKind {
  kResizedCrop,  // scale from, to
  kCrop,         // padding
  kPatch,        // side
  kFlip,         // probability
  kAlternatingFlip,
  kJitter,  // brightness, contrast, saturation, hue
  kPca,     // deviation
  kErase,   // probability
  kMixup,   // alpha
  kCutmix,  // alpha
};

struct AugmentArgument {
  std::string_view name;
  double value = 0;  // if it is not given
  double low = 0;
  double high = 1;
  bool whole = false;  // a whole number
};

struct AugmentInfo {
  std::string_view name;
  AugmentKind kind;
  std::string_view help;
  std::array<AugmentArgument, 4> arguments = {};  // up to the first nameless
};

std::span<const AugmentInfo> AugmentTable();

// A line for each word.
std::string AugmentHelp();

struct AugmentStep {
  AugmentKind kind;
  std::array<double, 4> values = {};
};

// They are carried out in the order of AugmentKind, however they were given.
struct AugmentSpec {
  std::vector<AugmentStep> steps;

  // Null if it was not asked for.
  const AugmentStep* Find(AugmentKind kind) const;
};

// Words separated by commas, each with its arguments after colons. UsageError
// for what is not in the table, twice there or out of range.
AugmentSpec ParseAugment(std::string_view text);

}  // namespace alexnet
