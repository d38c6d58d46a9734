// SPDX-License-Identifier: MIT
// How fast the CUDA engine is, and what it takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "alexnet/engine.h"

namespace alexnet::gpu_check {

// Bytes of the GPU that are in use, by whomever; empty where nvidia-smi does
// not tell.
std::optional<double> GpuMemoryInUse();

struct Speed {
  double median = 0;  // images/s
  double low = 0;
  double high = 0;
  double setup_seconds = 0;
  int64_t memory = 0;            // planned
  std::optional<double> in_use;  // of the GPU, by this process
  std::string plan;
};

// Of training steps on CIFAR-10's images, in several runs of some tenths of a
// second. `idle` is what the GPU had in use before this process came to it.
Speed MeasureTraining(const EngineSpec& spec, std::optional<double> idle);

// The seconds of an epoch of 50,000 images that are resized in every step, in
// batches of 32.
double EpochSeconds(Precision precision);

// Two epochs of 50,000 images in batches of 32, as the original script has
// them, the weights in a file, the accuracy on 10,000: the program's job with
// drawn images and without its file format. Prints the times of its parts; an
// exit code.
int WholeJob(const std::string& file);

}  // namespace alexnet::gpu_check
