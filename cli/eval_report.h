// SPDX-License-Identifier: MIT
// What an evaluation found, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "alexnet/train.h"

namespace alexnet::cli {

struct EvalReport {
  std::string weights;
  std::vector<std::string> class_names;
  Evaluation evaluation;
};

// "The accuracy of total 10000 images: 48.92%", as the note's script prints
// it.
std::string AccuracyLine(const Evaluation& evaluation);

// Top-1, top-5, a line for each class, and the confusion matrix.
std::string EvalTables(const EvalReport& report);

std::string EvalJson(const EvalReport& report);

}  // namespace alexnet::cli
