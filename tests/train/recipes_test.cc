// SPDX-License-Identifier: MIT
// The recipes that travel in the program, and how they are read.
#include "train/recipes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alexnet/error.h"

namespace alexnet {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Recipes, AreDefaultsThatGivenOptionsWinOver) {
  RunOptions options;
  options.lr = 0.5;
  options.given = {"lr"};
  ApplyRecipe("quick", options);
  EXPECT_EQ(options.recipe, "quick");
  EXPECT_EQ(options.dataset, "shapes");
  EXPECT_TRUE(options.shuffle);
  EXPECT_EQ(options.lr, 0.5);
}

TEST(Recipes, TheNotesIsTheDefault) {
  RunOptions options;
  ApplyRecipe("note", options);
  EXPECT_EQ(OptionsToJson(options), OptionsToJson({}));
}

TEST(Recipes, UnknownOnesAreRefusedWithTheKnown) {
  RunOptions options;
  EXPECT_THAT([&] { ApplyRecipe("fast", options); },
              ThrowsMessage<UsageError>(HasSubstr(
                  "note, quick, paper2012, caffe, best, cifar-small")));
}

TEST(Recipes, AllMakeSense) {
  for (const Recipe& recipe : Recipes()) {
    SCOPED_TRACE(recipe.name);
    RunOptions options;
    ApplyRecipe(recipe.name, options);
    EXPECT_NO_THROW(CheckOptions(options));
    EXPECT_FALSE(recipe.help().empty());
    EXPECT_NE(recipe.help().front(), '#');
    EXPECT_EQ(recipe.text.back(), '\n');
  }
}

// docs/runs/cifar-small.md reports what these options gave.
TEST(Recipes, OfCifarSmallIsThatOfItsReportedRun) {
  RunOptions options;
  ApplyRecipe("cifar-small", options);
  EXPECT_EQ(options.arch, "cifar-small");
  EXPECT_EQ(options.epochs, 30);
  EXPECT_EQ(options.batch_size, 64);
  EXPECT_TRUE(options.shuffle);
  EXPECT_EQ(options.augment, "crop:4,altflip");
  EXPECT_EQ(options.optimizer, "sgd");
  EXPECT_EQ(options.momentum, 0.9);
  EXPECT_TRUE(options.nesterov);
  EXPECT_EQ(options.weight_decay, 1e-3);
  EXPECT_EQ(options.lr, 0.03);
  EXPECT_EQ(options.schedule, "onecycle");
  EXPECT_EQ(options.lr_start, 0.1);
  EXPECT_EQ(options.lr_rise, 0.15);
  EXPECT_EQ(options.lr_end, 1e-3);
  EXPECT_EQ(options.clip_norm, 5);
  EXPECT_EQ(options.dropout, 0.4);
  EXPECT_EQ(options.label_smoothing, 0.1);
}

TEST(Recipes, OfThePaperAndOfCaffeHaveTheirNumbers) {
  RunOptions paper;
  ApplyRecipe("paper2012", paper);
  EXPECT_EQ(paper.arch, "alexnet2012");
  EXPECT_EQ(paper.optimizer, "caffe-sgd");
  EXPECT_EQ(paper.batch_size, 128);
  EXPECT_EQ(paper.lr, 0.01);
  EXPECT_EQ(paper.weight_decay, 5e-4);
  EXPECT_EQ(paper.lr_milestones, "23,51,78");
  EXPECT_EQ(paper.image_size, 256);
  EXPECT_EQ(paper.eval_crop, 256);
  EXPECT_EQ(paper.augment, "patch:224,flip,pca:0.1");
  RunOptions caffe;
  ApplyRecipe("caffe", caffe);
  EXPECT_EQ(caffe.arch, "caffe-alexnet");
  EXPECT_EQ(caffe.batch_size, 256);
  EXPECT_EQ(caffe.schedule, "step");
  EXPECT_EQ(caffe.lr_step, 20);
  EXPECT_EQ(caffe.image_size, 256);
  EXPECT_EQ(caffe.augment, "patch:227,flip");
  // Pixels from 0 to 255 less Caffe's mean of ILSVRC 2012, red first.
  constexpr double kMean[] = {123, 117, 104};
  for (const RunOptions& options : {paper, caffe}) {
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(options.mean[c] * 255, kMean[c], 1e-4);
      EXPECT_NEAR(options.std[c] * 255, 1, 1e-6);
    }
  }
}

TEST(Recipes, AreReadLineByLine) {
  RunOptions options;
  ReadRecipe({"mine",
              "# for a test\n\n  lr=0.5 # high\r\n\tshuffle = on\n"
              "mean = 0,1,0.25"},
             options);
  EXPECT_EQ(options.lr, 0.5);
  EXPECT_TRUE(options.shuffle);
  EXPECT_EQ(options.mean[2], 0.25F);
}

TEST(Recipes, AMistakeIsNamedWithItsLine) {
  const auto refused = [](const char* text, const char* message) {
    RunOptions options;
    EXPECT_THAT(
        [&] {
          ReadRecipe({"mine", text}, options);
        },
        ThrowsMessage<UsageError>(HasSubstr(message)));
  };
  refused("lr = 1\nlr 2\n", "recipe mine, line 2: got \"lr 2\"");
  refused("rate = 1\n", "line 1: there is no option rate");
  refused("lr = fast\n", "lr: got fast");
  refused("out = there\n", "out is no business of a recipe");
  refused("recipe = note\n", "recipe is no business of a recipe");
}

}  // namespace
}  // namespace alexnet
