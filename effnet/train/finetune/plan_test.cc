#include "effnet/train/finetune/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/train/recipe/recipe.h"

namespace effnet::train {
namespace {

constexpr DataSize kFlowers{.train = 240, .val = 80, .test = 80, .classes = 10, .median_side_px = 500};
constexpr DataSize kCifar{.train = 45000, .val = 5000, .test = 10000, .classes = 10, .median_side_px = 32};

TEST(Plan, LargePhotosUseTheResolutionOfTheModel) {
  const InputPlan plan = choose_input(kFlowers, 224, 0.02, 0);
  EXPECT_EQ(plan.resolution, 224);
  EXPECT_EQ(plan.shift_px, 0);
}

TEST(Plan, SmallImagesAreEnlargedAtMostFourTimesAndShifted) {
  const InputPlan plan = choose_input(kCifar, 224, 0.02, 0);
  EXPECT_EQ(plan.resolution, 128);
  EXPECT_EQ(plan.shift_px, 16);
  EXPECT_EQ(shift_at(160, kCifar), 20) << "a resolution that a person chose";
  EXPECT_EQ(shift_at(224, kFlowers), 0);
}

TEST(Plan, ResolutionFallsIfTheTimeWouldNotSuffice) {
  // 100,000 images of training per epoch of both runs, 20 ms each at 224: 600 s are 0.3 epochs.
  const DataSize data{.train = 45000, .val = 5000, .test = 0, .classes = 10, .median_side_px = 500};
  const InputPlan slow = choose_input(data, 224, 0.02, 600);
  EXPECT_EQ(slow.resolution, 64);
  EXPECT_THAT(slow.why, testing::HasSubstr("time"));
  EXPECT_EQ(choose_input(data, 224, 0.02, 100000).resolution, 224);
}

TEST(Plan, DurationsFitIntoTheBudget) {
  for (const double budget : {60.0, 300.0, 3600.0}) {
    SCOPED_TRACE(budget);
    const double image_s = 0.02, spent = 20;
    const Durations d = choose_durations(kFlowers, image_s, budget, spent);
    ASSERT_GE(d.epochs, 1);
    const double final_s = d.epochs * image_s * static_cast<double>(kFlowers.train + kFlowers.val);
    EXPECT_LE(spent + d.trial_s + final_s, budget);
  }
  EXPECT_LE(choose_durations(kFlowers, 0.02, 1e6, 0).epochs, 60);  // more epochs would only overfit
}

TEST(Plan, ManyImagesAreTrainedOnOnce) {
  EXPECT_TRUE(needs_second_run(kFlowers));
  EXPECT_TRUE(needs_second_run({.train = 29000, .val = 10000}));  // val has more than a quarter of the images
  EXPECT_FALSE(needs_second_run(kCifar));
  DataSize once = kCifar;
  once.second_run = false;
  // Half of the images in an epoch of everything: twice the epochs, or a higher resolution, in the same time.
  const Durations two = choose_durations(kCifar, 0.005, 3600, 100), one = choose_durations(once, 0.005, 3600, 100);
  EXPECT_GT(one.epochs, 1.9 * two.epochs);
  EXPECT_GT(one.trial_s, 1.9 * two.trial_s);
  EXPECT_LE(100 + one.trial_s, 3600);
  const DataSize large{.train = 45000, .val = 5000, .classes = 10, .median_side_px = 500, .second_run = false};
  DataSize large_twice = large;
  large_twice.second_run = true;
  EXPECT_GT(choose_input(large, 224, 0.02, 3600).resolution, choose_input(large_twice, 224, 0.02, 3600).resolution);
}

TEST(Plan, WithoutTimeForAnEpochThereIsNoTrial) {
  EXPECT_EQ(choose_durations(kFlowers, 0.02, 30, 20).trial_s, 0);
  EXPECT_EQ(choose_durations(kFlowers, 0.02, 10, 20).trial_s, 0);
}

TEST(Plan, DefaultBudgetGrowsWithTheImages) {
  const double small = default_budget_s(kFlowers, 0.02, 20), large = default_budget_s(kCifar, 0.005, 100);
  EXPECT_GE(small, 120);
  EXPECT_LE(small, 300);  // about 400 images: at most five minutes
  EXPECT_GT(large, 600);
  EXPECT_LE(default_budget_s({.train = 10000000, .classes = 10}, 1, 0), 7200);
  // It suffices for training.
  EXPECT_GT(choose_durations(kFlowers, 0.02, small, 20).epochs, 3);
}

TEST(Plan, FeaturesThatFitChangeLess) {
  const auto value = [](const char* setting, const DataSize& data, double probe_top1) {
    for (const report::FinetuneChoice& choice : choose_settings(data, {.resolution = 224}, 10, probe_top1)) {
      if (choice.setting == setting) return std::stod(choice.value);
    }
    return 0.0;
  };
  for (const DataSize& data : {kFlowers, kCifar}) {
    SCOPED_TRACE(data.train);
    EXPECT_GT(value("optimizer.lr", data, 98), 0);
    EXPECT_LT(value("optimizer.lr", data, 98), value("optimizer.lr", data, 80));
    EXPECT_LT(value("optimizer.layer_decay", data, 98), value("optimizer.layer_decay", data, 80));
  }
  // With many images that differ from ImageNet's, the first blocks learn as fast as the last ones.
  EXPECT_EQ(value("optimizer.layer_decay", kCifar, 80), 1);
  EXPECT_LT(value("optimizer.lr", kFlowers, 80), value("optimizer.lr", kCifar, 80));
}

// Every choice is a setting of a recipe with a valid value, and has a reason.
TEST(Plan, ChoicesAreValidSettings) {
  for (const DataSize& data :
       {kFlowers, kCifar, DataSize{.train = 7, .val = 2, .test = 2, .classes = 3, .median_side_px = 0},
        DataSize{.train = 1 << 20, .val = 1, .test = 1, .classes = 1000, .median_side_px = 1e5}}) {
    const InputPlan input = choose_input(data, 224, 0.02, 0);
    std::vector<Override> settings;
    for (const report::FinetuneChoice& choice : choose_settings(data, input, 5, 50)) {
      EXPECT_FALSE(choice.why.empty()) << choice.setting;
      settings.push_back({choice.setting, choice.value});
    }
    const Recipe recipe = load_recipe("finetune", settings);
    EXPECT_LE(recipe.train.batch, data.train);
    EXPECT_GE(recipe.train.batch, 1);
    EXPECT_EQ(recipe.data.resolution, input.resolution);
  }
}

}  // namespace
}  // namespace effnet::train
