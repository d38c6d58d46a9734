// SPDX-License-Identifier: MIT
// Everything an embedding program includes.
#pragma once

#include "alexnet/dataset.h"          // Dataset, LoadCifar10, MakeShapes
#include "alexnet/engine.h"           // Engine, MakeEngine
#include "alexnet/error.h"            // Error, UsageError
#include "alexnet/input_transform.h"  // InputTransform
#include "alexnet/model.h"            // ModelSpec, MakePreset
#include "alexnet/schedule.h"         // ScheduleSpec
#include "alexnet/train.h"            // Train, Evaluate
#include "alexnet/weights.h"          // OpenWeights, SaveWeights
