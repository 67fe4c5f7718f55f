#include "effnet/graph/counted_costs.h"

#include <gtest/gtest.h>

namespace effnet::graph {
namespace {

TEST(CountedCosts, TextsHaveTheUnit) {
  EXPECT_EQ(cost_text("macs", 385'814'752), "386M MACs");
  EXPECT_EQ(cost_text("params", 5'288'548), "5.29M parameters");
  EXPECT_EQ(cost_text("memory", 1'250'000), "1.25MB");
  EXPECT_EQ(cost_text("memory", 512), "512B");
  EXPECT_EQ(cost_text(kLatencyCost, 12.345), "12.3 ms");
}

TEST(CountedCosts, ExactTextsHaveAllDigits) {
  EXPECT_EQ(exact_cost_text("macs", 385'814'752), "385,814,752 MACs");
  EXPECT_EQ(exact_cost_text("params", 1), "1 parameters") << "a limit, not a count";
  EXPECT_EQ(exact_cost_text("memory", 65'536), "65,536 bytes");
  EXPECT_EQ(exact_cost_text(kLatencyCost, 12.345), "12.345 ms");
  EXPECT_EQ(exact_cost_text("macs", 0.5), "0.5 MACs");
  EXPECT_EQ(exact_cost_text("macs", 1e30), "1e+30 MACs");
}

TEST(CountedCosts, Units) {
  EXPECT_EQ(unit_of("macs"), CostUnit::number);
  EXPECT_EQ(unit_of("params"), CostUnit::number);
  EXPECT_EQ(unit_of("memory"), CostUnit::bytes);
  EXPECT_EQ(unit_of(kLatencyCost), CostUnit::milliseconds);
}

}  // namespace
}  // namespace effnet::graph
