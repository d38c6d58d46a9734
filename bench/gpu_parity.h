// SPDX-License-Identifier: MIT
// The CUDA engine against the naive one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alexnet/engine.h"
#include "gpu_work.h"

namespace alexnet::gpu_check {

// Of the norms, the largest of any image or parameter.
struct Errors {
  double logits = 0;
  double loss = 0;
  double gradients = 0;
  std::string worst = {};  // parameter

  bool Within(const Errors& limits) const {
    return logits <= limits.logits && loss <= limits.loss &&
           gradients <= limits.gradients;
  }
};

// What the naive network in double makes of parameters and inputs.
struct Expected {
  std::vector<std::vector<double>> logits;  // of each image
  double loss = 0;
  std::vector<std::vector<double>> gradients;  // of each parameter
};

// A new engine, of initial parameters, with as many drawn images as its batch
// takes.
struct Trial {
  Trial(const ModelSpec& model, int64_t count, Precision precision,
        Algorithms algorithms = Algorithms::kExact);
  ModelSpec model;
  Images images;
  std::unique_ptr<Engine> engine;
};

// The trial's parameters, and the batch as its engine makes it.
struct Inputs {
  std::vector<float> values;
  std::vector<std::vector<float>> parameters;
};
Inputs InputsOf(const Trial& trial);

// Takes half a minute for a large network.
Expected Reference(const ModelSpec& model, int64_t images,
                   const Inputs& inputs);

// One step of the trial's engine against what is expected of it.
Errors Compare(const Trial& trial, const Expected& expected);

// How far operations, and a whole AlexNet, may be off.
Errors LimitsOf(Precision precision, Algorithms algorithms);

// The largest error of logits from images of another size against the reference
// engine's; at least 1 if a resized pixel is not equal.
double CompareResize();

// The same steps twice, the second time with the first's kernel plan.
bool SameBits(Precision precision);

// Five steps of a small network on the GPU against the reference engine's, with
// what `change` asks for.
struct TrainingCase {
  std::string name;
  std::function<void(EngineSpec&)> change;
};
std::vector<TrainingCase> TrainingCases();

// The largest error of anything that training leaves.
double CompareTraining(const TrainingCase& c);

// Whether the bfloat16 copy of the parameters, which the update writes, is that
// of the parameters: an engine that is given these must infer the same.
bool CopyFollowsParameters();

}  // namespace alexnet::gpu_check
