// SPDX-License-Identifier: MIT
// Every option of a training run, listed once. The command line, its help,
// run.json, the checkpoint and the rules of resuming all go through
// ForEachOption.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "alexnet/schedule.h"

namespace alexnet {

struct RunOptions {
  std::string recipe = "note";
  std::string arch = "note";
  int64_t classes = 0;  // 0: as many as the images have
  std::string init = "network";
  std::string pretrained;  // empty: from the beginning
  std::string freeze;      // names, with commas between
  std::string dataset = "cifar10";
  std::string data;  // empty: "dataset"
  int64_t shapes_count = 10'000;
  int64_t image_size = 0;  // of decoded pictures; 0: the network's input
  int64_t eval_crop = 0;   // shorter edge before the centre crop; 0: none
  std::string augment;     // data/augment_spec.h
  std::string cache;       // folder of decoded pictures; empty: none
  std::string damaged = "fail";
  double max_megapixels = 100;
  bool dct_scaling = false;
  int64_t epochs = 2;
  int64_t batch_size = 32;
  double lr = 1e-3;
  std::string schedule = "constant";
  double warmup_epochs = 0;
  double lr_step = 30;
  std::string lr_milestones;
  double lr_gamma = 0.1;
  double lr_start = 0.04;
  double lr_rise = 0.3;
  double lr_end = 0;
  double lr_power = 1;
  int64_t lr_patience = 10;
  std::string optimizer = "adam";
  double momentum = 0.9;
  bool nesterov = false;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double dropout = 0.5;
  double label_smoothing = 0;
  double clip_norm = 0;
  double ema = 0;
  int64_t accumulate = 1;
  uint64_t seed = 0;
  bool shuffle = false;
  int64_t max_steps = 0;         // 0: no limit beyond the epochs
  double time_budget = 0;        // seconds; 0: no limit
  int64_t early_stop = 0;        // epochs; 0: never
  int64_t checkpoint_every = 0;  // steps; 0: the program decides
  double val_fraction = 0;
  std::array<float, 3> mean = {0.5F, 0.5F, 0.5F};
  std::array<float, 3> std = {0.5F, 0.5F, 0.5F};
  std::string device = "auto";
  std::string precision = "fp32";
  std::string algorithms = "fast";
  int64_t threads = 0;         // 0: all cores this process may use
  int64_t loader_threads = 0;  // 0: as many as the images need
  int64_t slice_size = 0;      // 0: the engine decides
  std::string kernel_plan;     // file; empty: the engine decides
  std::string out = "run";
  bool resume = false;
  bool overwrite = false;

  // Names of the options that were given explicitly: they win over the recipe
  // and, where that is allowed, over the checkpoint of a resumed run. Needed
  // only for values that equal the default; others count as given anyway.
  std::set<std::string, std::less<>> given;
};

// What becomes of an option that is given again, with another value, when a
// run is resumed.
enum class OnResume {
  kRefused,     // it would change the meaning of the steps already done
  kAdjustable,  // the new value counts from here on, and is reported
  kSession,     // of this invocation only; not stored
};

struct OptionInfo {
  std::string_view name;  // as on the command line, without the dashes
  std::string_view help;
  OnResume on_resume = OnResume::kRefused;
};

// What --dataset takes, as a sentence has it: "cifar10, … or imagenet".
std::string_view DataSetNames();
bool IsDataSet(std::string_view name);

// Calls visit(value, info) for each option, value being a reference to its
// member (const if `options` is): std::string, int64_t, uint64_t, double,
// bool or std::array<float, 3>.
template <class Options, class Visitor>
void ForEachOption(Options&& options, Visitor&& visit) {
  using enum OnResume;
  const auto add = [&](auto& value, std::string_view name,
                       std::string_view help, OnResume on_resume = kRefused) {
    visit(value, OptionInfo{name, help, on_resume});
  };
  auto& o = options;
  add(o.recipe, "recipe", "named set of defaults");
  add(o.arch, "arch", "network");
  add(o.classes, "classes", "outputs (0: as many as the images have classes)");
  add(o.init, "init",
      "initial weights: the network's own, torch (PyTorch's default) or he "
      "(all layers but the last)");
  add(o.pretrained, "pretrained",
      "begin with the weights of this file; a last layer of another size is "
      "replaced");
  add(o.freeze, "freeze", "layers that are not trained: features, fc6, …");
  add(o.dataset, "dataset", DataSetNames());
  add(o.data, "data",
      "folder that holds the images, such as cifar-10-batches-bin/ (default: "
      "dataset)",
      kAdjustable);
  add(o.shapes_count, "shapes-count", "training images of shapes");
  add(o.image_size, "image-size",
      "side to which picture files are resized (0: the network's input)");
  add(o.eval_crop, "eval-crop",
      "resize the shorter edge of pictures to this, then take the middle "
      "(0: resize the whole picture)");
  add(o.augment, "augment", "changes to training images, such as crop:4,flip");
  add(o.cache, "cache", "folder for decoded pictures, made at the first use",
      kAdjustable);
  add(o.damaged, "damaged", "what a damaged picture does: fail or skip");
  add(o.max_megapixels, "max-megapixels",
      "refuse pictures that are larger, before decoding", kAdjustable);
  add(o.dct_scaling, "dct-scaling",
      "decode JPEG smaller where that is enough: faster, other pixels");
  add(o.epochs, "epochs", "passes over the images", kAdjustable);
  add(o.batch_size, "batch-size", "images a step");
  add(o.lr, "lr", "learning rate", kAdjustable);
  add(o.schedule, "schedule",
      "of the rate: constant, step, multistep, cosine, onecycle, poly or "
      "plateau");
  add(o.warmup_epochs, "warmup-epochs", "in which the rate rises evenly");
  add(o.lr_step, "lr-step", "epochs between the steps of step");
  add(o.lr_milestones, "lr-milestones", "epochs of multistep: 30,60,80");
  add(o.lr_gamma, "lr-gamma", "factor of step, multistep and plateau");
  add(o.lr_start, "lr-start", "part of the rate that onecycle begins with");
  add(o.lr_rise, "lr-rise", "part of the steps in which onecycle rises");
  add(o.lr_end, "lr-end",
      "part of the rate that cosine, onecycle and poly end with");
  add(o.lr_power, "lr-power", "exponent of poly");
  add(o.lr_patience, "lr-patience",
      "epochs without a lower loss that plateau waits for");
  add(o.optimizer, "optimizer",
      "adam, adamw, sgd (PyTorch's) or caffe-sgd (the paper's)");
  add(o.momentum, "momentum", "of SGD");
  add(o.nesterov, "nesterov", "Nesterov's momentum");
  add(o.beta1, "beta1", "Adam's first decay");
  add(o.beta2, "beta2", "Adam's second decay");
  add(o.eps, "eps", "Adam's epsilon");
  add(o.weight_decay, "weight-decay",
      "L2, added to the gradient; of adamw, beside it");
  add(o.dropout, "dropout", "probability that a value is dropped");
  add(o.label_smoothing, "label-smoothing", "part given to all classes alike");
  add(o.clip_norm, "clip-norm",
      "longest the gradient of all parameters may be (0: no limit)");
  add(o.ema, "ema",
      "decay of a running average of the weights, which is evaluated and saved "
      "in their place (0: none)");
  add(o.accumulate, "accumulate",
      "batches whose gradients make one step: batch-size × this, in slices of "
      "batch-size");
  add(o.seed, "seed", "of initial weights, order and dropout");
  add(o.shuffle, "shuffle", "a new order every epoch");
  add(o.max_steps, "max-steps", "end after so many steps (0: no limit)",
      kAdjustable);
  add(o.time_budget, "time-budget",
      "end after so many seconds of training (0: no limit)", kAdjustable);
  add(o.early_stop, "early-stop",
      "end when the held-out images have not done better for so many epochs, "
      "and keep the best weights (0: never)",
      kAdjustable);
  add(o.checkpoint_every, "checkpoint-every",
      "steps between checkpoints; one comes after each epoch, too (0: once a "
      "minute at most)",
      kAdjustable);
  add(o.val_fraction, "val-fraction",
      "part of the training images held out for the accuracy after each epoch");
  add(o.mean, "mean", "of the normalisation, R,G,B");
  add(o.std, "std", "of the normalisation, R,G,B");
  add(o.device, "device", "auto, cpu, reference or cuda", kAdjustable);
  add(o.precision, "precision", "fp32, tf32 or bf16");
  add(o.algorithms, "algorithms",
      "fast (Winograd where it wins) or exact (direct convolution)");
  add(o.threads, "threads", "0: all cores");
  add(o.loader_threads, "loader-threads",
      "threads that read ahead (0: all cores for picture files, else one)",
      kAdjustable);
  add(o.kernel_plan, "kernel-plan",
      "file with the algorithm of each convolution, as bench --tune writes it");
  add(o.slice_size, "slice-size",
      "images worked on at once (0: as many as suit the machine)", kAdjustable);
  add(o.out, "out", "folder of the run", kSession);
  add(o.resume, "resume", "go on from the folder's checkpoint, if it has one",
      kSession);
  add(o.overwrite, "overwrite", "replace a finished run", kSession);
}

// The value of an option as text: "0.001", "on", "0.5,0.5,0.5".
std::string OptionText(const std::string& value);
std::string OptionText(int64_t value);
std::string OptionText(uint64_t value);
std::string OptionText(double value);
std::string OptionText(bool value);
std::string OptionText(const std::array<float, 3>& value);

// Sets the named option from such a text. UsageError, naming the option, if
// there is none of this name or the text is no value of it.
void SetOption(RunOptions& options, std::string_view name,
               std::string_view text);

// "30,60.5" as numbers, "features,fc6" as words; UsageError naming `option`.
std::vector<double> NumberList(std::string_view option, std::string_view text);
std::vector<std::string> WordList(std::string_view text);

// Copies the named options; logic_error if there is no such name.
void CopyOption(const RunOptions& from, std::string_view name, RunOptions& to);

// Adds the options that differ from their defaults to options.given.
void NoteGiven(RunOptions& options);

// The schedule that the options describe.
ScheduleSpec ScheduleOf(const RunOptions& options);

// UsageError, naming the option, for a value out of its range.
void CheckOptions(const RunOptions& options);

// JSON objects with every option that is not kSession. Reading throws Error
// for an unknown name, a missing one or a value of the wrong type; `where`
// begins the message.
std::string OptionsToJson(const RunOptions& options);
RunOptions OptionsFromJson(std::string_view json, const std::string& where);

}  // namespace alexnet
