#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/search/space/latency_table.h"
#include "effnet/search/space/named_spaces.h"
#include "effnet/search/space/network_parts.h"
#include "effnet/search/space/part_work.h"

namespace effnet::search {
namespace {

arch::ArchSpec random_network(Draws& draws) {
  const auto pick = [&](std::initializer_list<std::int64_t> options) {
    return options.begin()[draws.below(std::ssize(options))];
  };
  arch::ArchSpec spec;
  spec.name = "random";
  spec.resolution = 32;
  spec.classes = 10;
  spec.stem.channels = 16;
  spec.head.channels = 64;
  for (const std::int64_t width : {16, 32, 64}) {
    spec.stages.push_back({.repeats = pick({1, 2, 3}),
                           .channels = pick({width, width + 8}),
                           .kernel = pick({3, 5}),
                           .stride = 2,
                           .expand = pick({3, 6})});
  }
  return spec;
}

// A machine whose networks need exactly the sum of the times of their parts.
using PartMs = double (*)(const std::string& part, const PartWork& work);

// The time depends on the text only: the work says nothing about it.
double any_ms(const std::string& part, const PartWork&) { return Draws({.seed = 1}, part).uniform(0.2, 2); }

// The time follows the work, with a deviation of up to 20 % for each part.
double working_ms(const std::string& part, const PartWork& work) {
  const double ms = 1e-7 * work[0] + 4e-7 * work[1] + 2e-7 * work[2] + 1e-7 * work[3] + 0.005;
  return ms * Draws({.seed = 1}, part).uniform(0.8, 1.2);
}

// `noise`: the standard deviation of a measurement, relative to its value.
TimedNetwork timed(const arch::ArchSpec& spec, PartMs part_ms, double noise, Draws& draws) {
  const std::vector<std::string> parts = parts_of(spec);
  const std::vector<PartWork> work = work_of_parts(spec);
  double ms = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) ms += part_ms(parts[i], work[i]);
  return {spec, ms * (1 + noise * draws.normal())};
}

std::vector<TimedNetwork> timed_networks(int count, PartMs part_ms, double noise, Draws& draws) {
  std::vector<TimedNetwork> networks;
  networks.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) networks.push_back(timed(random_network(draws), part_ms, noise, draws));
  return networks;
}

// The networks have 67 parts (stage 1: 8 first and 8 other blocks; stages 2 and 3: 16 and 8; 2 heads; the stem). With
// 400 measurements with 1 % noise, the error of a prediction is about 1 % * sqrt(67 / 400) = 0.4 %.
TEST(LatencyFit, FindsTheTimesOfAnAdditiveMachine) {
  Draws draws({.seed = 2}, "latency fit");
  const std::vector<TimedNetwork> fit = timed_networks(400, any_ms, 0.01, draws);
  const std::vector<TimedNetwork> check = timed_networks(100, any_ms, 0, draws);
  const LatencyTable table = fit_latency(fit, check);
  EXPECT_EQ(table.parts_ms.size(), 67U);
  EXPECT_EQ(table.networks, 400);
  EXPECT_EQ(table.checked, 100);
  EXPECT_LT(table.error, 0.01);
  EXPECT_LT(table.worst_error, 0.03);
  for (const auto& [part, ms] : table.parts_ms) EXPECT_GE(ms, 0) << part;
}

// 40 measurements of 67 parts. The work alone would give an error of about 12 % (the deviation of a uniform +-20 %)
// divided by the root of the number of blocks, 6: 5 %.
TEST(LatencyFit, TheWorkOfTheBlocksHelpsIfThereAreFewMeasurements) {
  Draws draws({.seed = 3}, "latency fit");
  const std::vector<TimedNetwork> fit = timed_networks(40, working_ms, 0.01, draws);
  const std::vector<TimedNetwork> all = timed_networks(300, working_ms, 0, draws);
  std::vector<TimedNetwork> check;  // those that the 40 networks can predict
  const LatencyTable table = fit_latency(fit, {});
  for (const TimedNetwork& one : all) {
    const std::vector<std::string> parts = parts_of(one.spec);
    if (std::ranges::all_of(parts, [&](const auto& part) { return table.parts_ms.contains(part); }))
      check.push_back(one);
  }
  ASSERT_GE(check.size(), 30U);
  EXPECT_LT(fit_latency(fit, check).error, 0.05);
}

// The whole way, with times that are computed: the networks of a cover and 40 random ones, of which the last are kept.
TEST(LatencyFit, PredictsMnasNetsSpaceFromSomeHundredNetworks) {
  const Space& space = named_space("mnasnet");
  Draws draws({.seed = 4}, "latency fit");
  std::vector<TimedNetwork> networks;
  for (const Point& point : covering_points(space, 40, 1))
    networks.push_back(timed(network_of(space, point), working_ms, 0.01, draws));
  const auto kept = static_cast<std::size_t>(networks_to_check(std::ssize(networks)));
  const std::span all(networks);
  const LatencyTable table = fit_latency(all.first(all.size() - kept), all.last(kept));
  EXPECT_GT(std::ssize(table.parts_ms), 2 * table.networks) << "there are more parts than measurements";
  EXPECT_LT(table.error, 0.05);
}

TEST(LatencyFit, TheErrorIsRelativeToTheMeasurement) {
  Draws draws({.seed = 5}, "latency fit");
  const std::vector<TimedNetwork> fit = timed_networks(50, working_ms, 0, draws);
  const double predicted = predict_ms(fit_latency(fit, {}), fit[0].spec);
  const std::vector<TimedNetwork> check{{fit[0].spec, predicted}, {fit[0].spec, 2 * predicted}};
  const LatencyTable table = fit_latency(fit, check);
  EXPECT_DOUBLE_EQ(table.error, 0.25);
  EXPECT_DOUBLE_EQ(table.worst_error, 0.5);
  EXPECT_EQ(fit_latency(fit, {}).checked, 0);
  EXPECT_EQ(fit_latency(fit, {}).error, 0);
}

TEST(LatencyFit, OneNetworkIsPredictedAsMeasured) {
  const arch::ArchSpec& b0 = arch::variant("efficientnet_b0").spec;
  const std::vector<TimedNetwork> fit{{b0, 12.5}};
  EXPECT_NEAR(predict_ms(fit_latency(fit, {}), b0), 12.5, 1e-6);
}

TEST(LatencyFit, WrongMeasurementsAreErrors) {
  Draws draws({.seed = 6}, "latency fit");
  std::vector<TimedNetwork> fit = timed_networks(3, working_ms, 0, draws);
  EXPECT_THROW(fit_latency({}, fit), Error);
  for (const double ms : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    fit[1].ms = ms;
    EXPECT_THROW(fit_latency(fit, {}), Error) << ms;
    EXPECT_THROW(fit_latency(std::span(fit).first(1), fit), Error) << ms;
  }
}

TEST(PredictMs, ANetworkWithAnUnknownPartIsAnError) {
  arch::ArchSpec spec = arch::variant("efficientnet_b0").spec;
  const std::vector<TimedNetwork> fit{{spec, 12.5}};
  const LatencyTable table = fit_latency(fit, {});
  for (const char* change : {"resolution", "kernel", "classes"}) {
    spec = fit[0].spec;
    if (change == std::string("resolution")) spec.resolution = 240;
    if (change == std::string("kernel")) spec.stages[3].kernel = 5;
    if (change == std::string("classes")) spec.classes = 10;
    try {
      predict_ms(table, spec);
      FAIL() << "accepted another " << change;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_NE(std::string(error.what()).find("efficientnet_b0: its latency cannot be predicted (got '"),
                std::string::npos);
      EXPECT_FALSE(error.hint().empty());
    }
  }
}

TEST(NetworksToCheck, AreATenthButAtLeastTen) {
  EXPECT_EQ(networks_to_check(0), 10);
  EXPECT_EQ(networks_to_check(109), 10);
  EXPECT_EQ(networks_to_check(450), 45);
}

}  // namespace
}  // namespace effnet::search
