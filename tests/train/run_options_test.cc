// SPDX-License-Identifier: MIT
#include "train/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alexnet/error.h"
#include "train/resume.h"

namespace alexnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

// Every option differs from its default.
RunOptions Unusual() {
  RunOptions o;
  ForEachOption(o, [](auto& value, const OptionInfo&) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string>) {
      value += " \"x\"";
    } else if constexpr (std::is_same_v<Value, bool>) {
      value = !value;
    } else if constexpr (std::is_same_v<Value, uint64_t>) {
      value = 0xFFFF'FFFF'FFFF'FFFFU;
    } else if constexpr (std::is_same_v<Value, std::array<float, 3>>) {
      value = {0.4914F, 0.4822F, 0.1F};
    } else {
      value += static_cast<Value>(3.3);
    }
  });
  return o;
}

template <class Difference>
void ForEachDifference(const RunOptions& a, const RunOptions& b,
                       Difference&& difference) {
  std::vector<std::string> texts;
  ForEachOption(a, [&](const auto& value, const OptionInfo&) {
    texts.push_back(OptionText(value));
  });
  size_t i = 0;
  ForEachOption(b, [&](const auto& value, const OptionInfo& info) {
    if (texts[i++] != OptionText(value)) difference(info);
  });
}

TEST(RunOptions, GoThroughJsonUnchanged) {
  const RunOptions before = Unusual();
  const RunOptions after = OptionsFromJson(OptionsToJson(before), "file");
  ForEachDifference(before, after, [](const OptionInfo& info) {
    EXPECT_EQ(info.on_resume, OnResume::kSession) << info.name;
  });
  EXPECT_EQ(after.mean, before.mean);
  EXPECT_EQ(after.lr, before.lr);
}

TEST(RunOptions, JsonThatIsWrongIsRefused) {
  const std::string good = OptionsToJson({});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const auto error = [](const std::string& text) {
    return ThrowsMessage<Error>(HasSubstr(text));
  };
  const auto read = [](const std::string& text) {
    return [text] { OptionsFromJson(text, "file"); };
  };
  EXPECT_THAT(read("{"), error("file: options: expected a JSON object"));
  EXPECT_THAT(read(with("\"lr\": 0.001", "\"lr\": \"x\"")),
              error("lr: expected a number, found \"x\""));
  EXPECT_THAT(read(with("\"epochs\": 2", "\"epochs\": 2.5")),
              error("epochs: expected a whole number"));
  EXPECT_THAT(read(with("\"seed\": 0", "\"seed\": -1")), error("seed: "));
  EXPECT_THAT(read(with("\"epochs\"", "\"epoch\"")),
              error("epochs is missing"));
  EXPECT_THAT(read(with("\"lr\"", "\"new\": 1, \"lr\"")),
              error("later program"));
  EXPECT_THAT(read(std::string(100'000, '[')), error("JSON object"));
}

TEST(RunOptions, ChecksNameTheOption) {
  const auto refused = [](auto change, const std::string& name) {
    RunOptions options;
    change(options);
    EXPECT_THAT([&] { CheckOptions(options); },
                ThrowsMessage<UsageError>(HasSubstr(name)));
  };
  EXPECT_NO_THROW(CheckOptions({}));
  refused([](RunOptions& o) { o.arch = "vgg"; }, "vgg");
  refused([](RunOptions& o) { o.dataset = "svhn"; }, "dataset: got svhn");
  refused([](RunOptions& o) { o.optimizer = "lion"; }, "optimizer");
  refused([](RunOptions& o) { o.schedule = "exp"; }, "schedule");
  refused([](RunOptions& o) { o.lr_milestones = "3,x"; }, "lr-milestones");
  refused([](RunOptions& o) { o.lr_gamma = 2; }, "gamma");
  refused([](RunOptions& o) { o.momentum = 1; }, "momentum");
  refused([](RunOptions& o) { o.label_smoothing = 1; }, "label-smoothing");
  refused([](RunOptions& o) { o.clip_norm = -1; }, "clip-norm");
  refused([](RunOptions& o) { o.ema = 1; }, "ema");
  refused([](RunOptions& o) { o.accumulate = 0; }, "accumulate: got 0");
  refused([](RunOptions& o) { o.early_stop = -1; }, "early-stop");
  refused([](RunOptions& o) { o.loader_threads = 257; }, "loader-threads");
  refused([](RunOptions& o) { o.time_budget = -1; }, "time-budget");
  refused([](RunOptions& o) { o.freeze = "nothing"; }, "'nothing'");
  refused([](RunOptions& o) { o.init = "zero"; }, "init: got zero");
  refused([](RunOptions& o) { o.device = "tpu"; }, "tpu");
  refused([](RunOptions& o) { o.precision = "fp8"; }, "fp8");
  refused([](RunOptions& o) { o.batch_size = 0; }, "batch-size: got 0");
  refused([](RunOptions& o) { o.epochs = -1; }, "epochs: got -1");
  refused([](RunOptions& o) { o.lr = 0; }, "lr: got 0");
  refused([](RunOptions& o) { o.lr = NAN; }, "lr: got nan");
  refused([](RunOptions& o) { o.dropout = 1; }, "dropout: got 1");
  refused([](RunOptions& o) { o.beta1 = 1; }, "beta1");
  refused([](RunOptions& o) { o.val_fraction = -0.1; }, "val-fraction");
  refused([](RunOptions& o) { o.std[1] = 0; }, "std: got 0.5,0,0.5");
  refused([](RunOptions& o) { o.loader_threads = -1; }, "loader-threads");
  refused([](RunOptions& o) { o.augment = "blur"; }, "augment: got");
  refused([](RunOptions& o) { o.damaged = "hide"; }, "damaged: got hide");
  refused([](RunOptions& o) { o.image_size = -1; }, "image-size");
  refused([](RunOptions& o) { o.eval_crop = -1; }, "eval-crop");
  refused([](RunOptions& o) { o.max_megapixels = 0; }, "max-megapixels");
  refused([](RunOptions& o) { o.resume = o.overwrite = true; }, "overwrite");
}

TEST(RunOptions, AreSetFromText) {
  RunOptions options;
  ForEachOption(Unusual(), [&](const auto& value, const OptionInfo& info) {
    SetOption(options, info.name, OptionText(value));
  });
  ForEachDifference(Unusual(), options,
                    [](const OptionInfo& info) { ADD_FAILURE() << info.name; });
  const auto refused = [&](const char* name, const char* text) {
    EXPECT_THAT([&] { SetOption(options, name, text); },
                ThrowsMessage<UsageError>(HasSubstr(name)));
  };
  refused("epochs", "2.5");
  refused("lr", "fast");
  refused("shuffle", "yes");
  refused("mean", "1,2");
  refused("learning-rate", "1");
}

TEST(Resume, KeepsTheCheckpointsOptions) {
  RunOptions checkpoint;
  checkpoint.epochs = 7;
  checkpoint.batch_size = 3;
  checkpoint.threads = 2;
  checkpoint.device = "cpu";
  RunOptions now;
  now.out = "elsewhere";
  now.resume = true;
  const ResumedOptions merged = MergeForResume(checkpoint, now);
  EXPECT_EQ(merged.options.epochs, 7);
  EXPECT_EQ(merged.options.batch_size, 3);
  EXPECT_EQ(merged.options.out, "elsewhere");
  EXPECT_TRUE(merged.options.resume);
  EXPECT_TRUE(merged.changes.empty());
}

TEST(Resume, GivenOptionsWinAndAreReported) {
  RunOptions checkpoint;
  RunOptions now;
  now.lr = 3e-4;
  now.epochs = 2;  // as before: no change
  now.given = {"lr", "epochs"};
  const ResumedOptions merged = MergeForResume(checkpoint, now);
  EXPECT_EQ(merged.options.lr, 3e-4);
  EXPECT_THAT(merged.changes, ElementsAre("lr: 0.001, now 3e-04"));
}

TEST(Resume, WhatChangesTheMeaningIsRefusedWithBothValues) {
  const RunOptions checkpoint;
  RunOptions now = Unusual();
  ForEachOption(now, [&](const auto&, const OptionInfo& info) {
    now.given = {std::string(info.name)};
    if (info.on_resume == OnResume::kRefused) {
      EXPECT_THAT([&] { MergeForResume(checkpoint, now); },
                  ThrowsMessage<UsageError>(HasSubstr(info.name.data())));
    } else {
      EXPECT_NO_THROW(MergeForResume(checkpoint, now)) << info.name;
    }
  });
  now.given = {"batch-size", "seed"};
  EXPECT_THAT([&] { MergeForResume(checkpoint, now); },
              ThrowsMessage<UsageError>(
                  HasSubstr("batch-size: the checkpoint has 32, given 35; "
                            "seed: the checkpoint has 0, given "
                            "18446744073709551615")));
}

TEST(Resume, TheSliceSizeCanChangeAndSuitsTheDevice) {
  RunOptions checkpoint;
  checkpoint.device = "cpu";
  checkpoint.slice_size = 16;
  RunOptions now;
  now.device = "cuda";
  now.given = {"device"};
  EXPECT_EQ(MergeForResume(checkpoint, now).options.slice_size, 0);
  now.slice_size = 8;
  now.given = {"device", "slice-size"};
  EXPECT_EQ(MergeForResume(checkpoint, now).options.slice_size, 8);
  now.given = {"slice-size"};
  const ResumedOptions merged = MergeForResume(checkpoint, now);
  EXPECT_EQ(merged.options.slice_size, 8);
  EXPECT_THAT(merged.changes, testing::ElementsAre("slice-size: 16, now 8"));
  now.slice_size = 0;
  EXPECT_EQ(MergeForResume(checkpoint, now).options.slice_size, 0);
}

TEST(Resume, AutomaticMeansAsBefore) {
  RunOptions checkpoint;
  checkpoint.device = "cpu";
  checkpoint.threads = 3;
  checkpoint.slice_size = 16;
  RunOptions now;
  now.given = {"device", "threads"};
  const ResumedOptions merged = MergeForResume(checkpoint, now);
  EXPECT_EQ(merged.options.device, "cpu");
  EXPECT_EQ(merged.options.threads, 3);
  EXPECT_EQ(merged.options.slice_size, 16);
  now.threads = 4;
  EXPECT_THROW(MergeForResume(checkpoint, now), UsageError);
}

}  // namespace
}  // namespace alexnet
