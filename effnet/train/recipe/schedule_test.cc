#include "effnet/train/recipe/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace effnet::train {
namespace {

constexpr double kTolerance = 1e-15;  // a few roundings of numbers below 1

// docs/reference/paper.md, section D: linear from 0 to 0.256 over 5 epochs; then 0.256 * 0.97^floor(epoch / 2.4).
// `epoch` counts from the start of the run.
TEST(Schedule, MatchesThePaper) {
  const ScheduleSettings paper;
  EXPECT_EQ(learning_rate(paper, 0.256, 0, 350), 0);
  EXPECT_NEAR(learning_rate(paper, 0.256, 2.5, 350), 0.128, kTolerance);
  EXPECT_NEAR(learning_rate(paper, 0.256, 5, 350), 0.256 * 0.97 * 0.97, kTolerance);
  EXPECT_NEAR(learning_rate(paper, 0.256, 7.19, 350), 0.256 * 0.97 * 0.97, kTolerance);
  EXPECT_NEAR(learning_rate(paper, 0.256, 7.21, 350), 0.256 * 0.97 * 0.97 * 0.97, kTolerance);
  // 100 steps of 2.4 epochs: 0.97^100 = exp(100 ln 0.97) = 0.047552507...
  EXPECT_NEAR(learning_rate(paper, 1, 241, 350), 0.0475525079, 1e-10);
}

TEST(Schedule, CosineEndsAtZero) {
  const ScheduleSettings cosine{.name = ScheduleKind::cosine, .warmup_epochs = 10};
  EXPECT_NEAR(learning_rate(cosine, 0.4, 5, 110), 0.2, kTolerance);
  EXPECT_NEAR(learning_rate(cosine, 0.4, 10, 110), 0.4, kTolerance);
  EXPECT_NEAR(learning_rate(cosine, 0.4, 10 + 100.0 / 3, 110), 0.3, kTolerance);  // cos 60 degrees is 1/2
  EXPECT_NEAR(learning_rate(cosine, 0.4, 60, 110), 0.2, kTolerance);
  EXPECT_NEAR(learning_rate(cosine, 0.4, 110, 110), 0, kTolerance);
  EXPECT_NEAR(learning_rate(cosine, 0.4, 120, 110), 0, kTolerance);
}

TEST(Schedule, StartsAtThePeakWithoutWarmUp) {
  for (const auto& [kind, name] : kSchedules) {
    EXPECT_EQ(learning_rate({.name = kind, .warmup_epochs = 0}, 0.1, 0, 10), 0.1) << name;
  }
  EXPECT_EQ(learning_rate({.name = ScheduleKind::constant, .warmup_epochs = 1}, 0.1, 9, 10), 0.1);
}

TEST(Schedule, CosineIsZeroAfterAWarmUpLongerThanTheRun) {
  const double rate = learning_rate({.name = ScheduleKind::cosine, .warmup_epochs = 5}, 0.1, 5, 3);
  EXPECT_EQ(rate, 0);
}

// (1 + t) / (10 + t) is below the limit 0.9999 until t = 89,990, where it is 89,991 / 90,000 = 0.9999.
TEST(Schedule, DecayWarmsUpToItsLimit) {
  EXPECT_EQ(decay_at_step(0.9999, 0), 0.1);
  EXPECT_EQ(decay_at_step(0.9999, 90), 0.91);
  EXPECT_LT(decay_at_step(0.9999, 89000), 0.9999);
  EXPECT_EQ(decay_at_step(0.9999, 89991), 0.9999);
  EXPECT_EQ(decay_at_step(0.5, 90), 0.5);
}

}  // namespace
}  // namespace effnet::train
