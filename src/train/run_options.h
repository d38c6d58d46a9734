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

namespace alexnet {

struct RunOptions {
  std::string recipe = "note";
  std::string arch = "note";
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
  std::string optimizer = "adam";
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double dropout = 0.5;
  uint64_t seed = 0;
  bool shuffle = false;
  int64_t max_steps = 0;           // 0: no limit beyond the epochs
  int64_t checkpoint_every = 500;  // steps; 0: only at the end of each epoch
  double val_fraction = 0;
  std::array<float, 3> mean = {0.5F, 0.5F, 0.5F};
  std::array<float, 3> std = {0.5F, 0.5F, 0.5F};
  std::string device = "auto";
  std::string precision = "fp32";
  std::string algorithms = "fast";
  int64_t threads = 0;         // 0: all cores this process may use
  int64_t loader_threads = 0;  // 0: as many as the images need
  int64_t slice_size = 0;      // 0: the engine decides
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
  add(o.dataset, "dataset",
      "cifar10, cifar100, mnist, fashion-mnist, shapes, folder, list or "
      "imagenet");
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
  add(o.optimizer, "optimizer", "adam");
  add(o.beta1, "beta1", "Adam's first decay");
  add(o.beta2, "beta2", "Adam's second decay");
  add(o.eps, "eps", "Adam's epsilon");
  add(o.weight_decay, "weight-decay", "L2, added to the gradient");
  add(o.dropout, "dropout", "probability that a value is dropped");
  add(o.seed, "seed", "of initial weights, order and dropout");
  add(o.shuffle, "shuffle", "a new order every epoch");
  add(o.max_steps, "max-steps", "end after so many steps (0: no limit)",
      kAdjustable);
  add(o.checkpoint_every, "checkpoint-every",
      "steps between checkpoints (0: only after each epoch)", kAdjustable);
  add(o.val_fraction, "val-fraction",
      "part of the training images held out for the accuracy after each epoch");
  add(o.mean, "mean", "of the normalisation, R,G,B");
  add(o.std, "std", "of the normalisation, R,G,B");
  add(o.device, "device", "auto, cpu, reference or cuda");
  add(o.precision, "precision", "fp32");
  add(o.algorithms, "algorithms",
      "fast (Winograd where it wins) or exact (direct convolution)");
  add(o.threads, "threads", "0: all cores");
  add(o.loader_threads, "loader-threads",
      "threads that read ahead (0: all cores for picture files, else one)",
      kAdjustable);
  add(o.slice_size, "slice-size",
      "images worked on at once (0: as many as suit the machine)");
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

// Copies the named options; logic_error if there is no such name.
void CopyOption(const RunOptions& from, std::string_view name, RunOptions& to);

// Adds the options that differ from their defaults to options.given.
void NoteGiven(RunOptions& options);

// UsageError, naming the option, for a value out of its range.
void CheckOptions(const RunOptions& options);

// JSON objects with every option that is not kSession. Reading throws Error
// for an unknown name, a missing one or a value of the wrong type; `where`
// begins the message.
std::string OptionsToJson(const RunOptions& options);
RunOptions OptionsFromJson(std::string_view json, const std::string& where);

}  // namespace alexnet
