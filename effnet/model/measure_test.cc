#include "effnet/model/measure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "effnet/arch/spec.h"
#include "effnet/base/error.h"
#include "effnet/model/model_testing.h"
#include "effnet/model/scale_to_latency.h"

namespace effnet::model {
namespace {

TEST(Measure, PercentilesInterpolateBetweenNeighbours) {
  const Timing timing{{1, 2, 4, 8}, 3.75};
  EXPECT_EQ(timing.min(), 1);
  EXPECT_EQ(timing.median(), 3);
  EXPECT_EQ(timing.percentile(0), 1);
  EXPECT_EQ(timing.percentile(100), 8);
  EXPECT_DOUBLE_EQ(timing.percentile(90), 4 + 0.7 * 4);
  EXPECT_EQ((Timing{{5}, 5}).percentile(99), 5);
}

TEST(Measure, RunsAtLeastTenTimes) {
  int calls = 0;
  const Timing timing = measure([&] { ++calls; }, 1e-9);
  EXPECT_GE(timing.ms.size(), 10U);
  EXPECT_GT(calls, static_cast<int>(timing.ms.size())) << "there is a warm-up run";
  EXPECT_TRUE(std::ranges::is_sorted(timing.ms));
}

TEST(Measure, DifferencesAreRelativeToTheLargestExpected) {
  const std::vector<float> expected{1, -8, 2}, near{1, -7, 2}, none(3);
  EXPECT_EQ(difference(near, expected).max_abs, 1);
  EXPECT_EQ(difference(near, expected).max_rel, 0.125);
  EXPECT_EQ(difference(none, none).max_rel, 0);
  EXPECT_TRUE(std::isinf(difference(near, none).max_rel));
  const std::vector<float> nan{1, std::numeric_limits<float>::quiet_NaN(), 2};
  EXPECT_TRUE(std::isnan(difference(nan, expected).max_rel));
  EXPECT_TRUE(std::isnan(difference(expected, nan).max_abs));
}

TEST(Measure, GeneratedInputsAreReproducible) {
  ThreadPool one(1), two(2);
  const std::vector<float> images = photo_like({3, 13, 17}, 2, one);
  EXPECT_EQ(images.size(), 2U * 3 * 13 * 17);
  EXPECT_EQ(photo_like({3, 13, 17}, 2, two), images);
  EXPECT_EQ(photo_like({3, 13, 17}, 1, one), std::vector(images.begin(), images.begin() + 3 * 13 * 17));
  EXPECT_EQ(seeded_input({5, 7}, 1).size(), 105U);
  EXPECT_NE(seeded_input({5, 7}, 1), seeded_input({5, 7}, 2));
}

// The result does not depend on the clock: no network runs in 1e-12 ms.
TEST(ScaleToLatency, RefusesAnUnreachableTarget) {
  const arch::ArchSpec spec = testkit::tiny_model().arch;
  std::vector<std::string> notes;
  try {
    scale_to_latency(spec, 1e-12, {}, 1, [&](std::string_view text) { notes.emplace_back(text); });
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(std::string(error.what()).find("the target cannot be reached"), std::string::npos);
  }
  EXPECT_EQ(notes.size(), 1U) << "the smallest scaling is timed once";
}

TEST(TimeNetworks, TakesAllRounds) {
  const std::vector<arch::ArchSpec> specs(2, testkit::tiny_model().arch);
  const std::vector<Timing> timings = time_networks(specs, 1, 1e-9, 3);
  ASSERT_EQ(timings.size(), 2U);
  for (const Timing& timing : timings) {
    EXPECT_GE(timing.ms.size(), 3U * 10) << "each measurement has at least 10 runs";
    EXPECT_TRUE(std::ranges::is_sorted(timing.ms));
    EXPECT_GT(timing.mean_ms, 0);
  }
}

// With full residual branches the activations of 95 blocks exceed float32, and a session refuses infinite values.
TEST(TimeNetworks, DeepNetworks) {
  arch::ArchSpec deep = testkit::tiny_model().arch;
  for (arch::StageSpec& stage : deep.stages) stage.repeats = 200;
  EXPECT_GT(time_network(deep, 1, 1e-9).median(), 0);
}

}  // namespace
}  // namespace effnet::model
