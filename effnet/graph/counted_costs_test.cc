#include "effnet/graph/counted_costs.h"

#include <gtest/gtest.h>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"

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
  EXPECT_EQ(exact_cost_text(kLatencyCost, 0.018411033888039722), "0.018411 ms");
  EXPECT_EQ(exact_cost_text("macs", 0.5), "0.5 MACs");
  EXPECT_EQ(exact_cost_text("macs", 1e30), "1e+30 MACs");
}

TEST(CountedCosts, Units) {
  EXPECT_EQ(unit_of("macs"), CostUnit::number);
  EXPECT_EQ(unit_of("params"), CostUnit::number);
  EXPECT_EQ(unit_of("memory"), CostUnit::bytes);
  EXPECT_EQ(unit_of(kLatencyCost), CostUnit::milliseconds);
}

// Parameters are those of the channels and blocks. The peak of live activations of B0 is in its first stages, whose
// size is that of the resolution and the width.
TEST(CountedCosts, ARuleMayNotChangeACost) {
  const arch::ArchSpec& base = arch::variant("efficientnet_b0").spec;
  const CountedCost& params = *find_counted_cost("params");
  const CountedCost& memory = *find_counted_cost("memory");
  for (const arch::Rule& rule : arch::rules()) {
    EXPECT_TRUE(changes_cost(base, {&rule, {}, {}}, counted_costs().front())) << rule.name;
    EXPECT_EQ(changes_cost(base, {&rule, {}, {}}, params), rule.name != "resolution") << rule.name;
    EXPECT_EQ(changes_cost(base, {&rule, {}, {}}, memory), rule.name != "depth") << rule.name;
  }
  EXPECT_FALSE(changes_cost(base, {&arch::rules().front(), {}, {false, false, true}}, params));
  const arch::ArchSpec huge = arch::scaled(base, 90, 1, 224);  // with phi = 4 its stages would have too many blocks
  EXPECT_TRUE(changes_cost(huge, {&arch::rule("depth"), {}, {}}, params));
}

TEST(CountedCosts, TargetsThatCannotBeReached) {
  const arch::ArchSpec& base = arch::variant("efficientnet_b0").spec;
  const auto refused = [&](double target, const arch::RuleChoice& rule, std::string_view cost) {
    try {
      scale_to_cost(base, target, rule, *find_counted_cost(cost));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      return fmt::format("{}\n{}", error.what(), error.hint());
    }
    return std::string();
  };
  const arch::RuleChoice resolution{&arch::rule("resolution"), {}, {}},
      only_r{&arch::rules().front(), {}, {false, false, true}};
  for (const char* target : {"4,000,000", "8,000,000"}) {  // below and above the base's parameters
    const double value = target[0] == '4' ? 4e6 : 8e6;
    EXPECT_EQ(refused(value, resolution, "params"),
              fmt::format("the target cannot be reached: the rule resolution does not change this cost of "
                          "efficientnet_b0 (got {} parameters, expected 5,288,548 parameters, the cost of all its "
                          "networks)\n--rule compound, uniform, fast, width, depth, capped or tinynet changes it",
                          target));
  }
  EXPECT_EQ(refused(8e6, only_r, "params").substr(0, 79),
            "the target cannot be reached: the rule compound in these dimensions does not ch");
  EXPECT_NE(refused(40e6, {&arch::rule("depth"), {}, {}}, "memory").find("does not change this cost"),
            std::string::npos);
  EXPECT_EQ(refused(1e15, {&arch::rule("depth"), {}, {}}, "macs").substr(0, 75),
            "the target cannot be reached (got 1,000,000,000,000,000 MACs, expected at m");
  EXPECT_EQ(refused(3, {}, "params").substr(0, 71),
            "the target cannot be reached (got 3 parameters, expected at least 245,4");
  EXPECT_EQ(refused(9e6, {}, "params"), "");
}

}  // namespace
}  // namespace effnet::graph
