#include "effnet/model/measure_latencies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "effnet/kernels/isa.h"
#include "effnet/model/model_testing.h"

namespace effnet::model {
namespace {

TEST(LatencyGroups, HaveEachNetworkTwiceInDifferentGroups) {
  for (const std::size_t networks : {1, 15, 16, 17, 100}) {
    std::vector<std::vector<std::size_t>> of_network(networks);  // the groups of each network
    const auto groups = latency_groups(networks, 1);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      EXPECT_GE(groups[g].size(), 1U);
      EXPECT_LE(groups[g].size(), kLatencyGroup);
      for (const std::size_t network : groups[g]) of_network.at(network).push_back(g);
    }
    for (const std::vector<std::size_t>& where : of_network) {
      ASSERT_EQ(where.size(), 2U) << networks;
      EXPECT_LT(where[0], groups.size() / 2) << "the first pass";
      EXPECT_GE(where[1], groups.size() / 2) << "the second pass";
    }
  }
  EXPECT_TRUE(latency_groups(0, 1).empty());
}

// Neighbours in the list can be alike: networks of a cover differ in few choices. A group of 16 of 100 networks has 1.6
// networks of each tenth of the list on average; in the order of the list it would have 10.
TEST(LatencyGroups, AreInRandomOrder) {
  const auto groups = latency_groups(100, 1);
  ASSERT_EQ(groups.size(), 14U);
  for (const std::vector<std::size_t>& group : groups) {
    for (std::size_t tenth = 0; tenth < 10; ++tenth)
      EXPECT_LT(std::ranges::count(group, tenth, [](std::size_t network) { return network / 10; }), 8);
  }
  EXPECT_EQ(latency_groups(100, 1), groups);
  EXPECT_NE(latency_groups(100, 2), groups);
  EXPECT_NE(groups.front(), groups[7]) << "the second pass has another order";
}

TEST(MeasureLatencies, MeasuresEveryNetwork) {
  const std::vector<arch::ArchSpec> specs(18, testkit::tiny_model().arch);
  std::vector<std::string> notes;
  const std::vector<double> ms =
      measure_latencies(specs, {.seconds = 1e-9, .note = [&](std::string_view text) { notes.emplace_back(text); }});
  ASSERT_EQ(ms.size(), specs.size());
  EXPECT_GT(std::ranges::min(ms), 0);
  EXPECT_THAT(notes, testing::ElementsAre("16 of 36 measurements", "18 of 36 measurements", "34 of 36 measurements",
                                          "36 of 36 measurements"));
  EXPECT_TRUE(measure_latencies({}, {}).empty());
}

TEST(MachineText, NamesTheInstructionSetAndTheThreads) {
  EXPECT_THAT(machine_text(1), testing::EndsWith(", 1 thread"));
  EXPECT_THAT(machine_text(2), testing::HasSubstr(std::string(kernels::name(kernels::chosen_isa())) + ", 2 threads"));
}

}  // namespace
}  // namespace effnet::model
