#include "effnet/arch/scaling.h"

#include <gtest/gtest.h>

#include <cmath>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"

namespace effnet::arch {
namespace {

const ArchSpec& b0() { return variant("efficientnet_b0").spec; }

// An approximate cost of the rounded network: depth * width^2 * resolution^2. effnet/graph has the exact cost, but this
// folder may not use it.
double toy_cost(const ArchSpec& spec) {
  double sum = 0;
  for (const StageSpec& stage : spec.stages)
    sum += static_cast<double>(stage.repeats * stage.channels * stage.channels);
  return sum * static_cast<double>(spec.resolution * spec.resolution);
}

TEST(Rounding, WidthFollowsTheOfficialCode) {
  EXPECT_EQ(round_width(1.1, 32), 32);  // 35.2 -> 32, which is not below 0.9 * 35.2
  EXPECT_EQ(round_width(1.2, 32), 40);  // 38.4
  EXPECT_EQ(round_width(1.1, 320), 352);
  EXPECT_EQ(round_width(0.35, 16), 8);  // 5.6: never below 8
  EXPECT_EQ(round_width(0.5, 24), 16);  // 12, halfway between 8 and 16: rounded up
  EXPECT_EQ(round_width(4.3, 16), 72);  // 68.8
  EXPECT_EQ(round_width(1.3, 10), 16);  // 13 -> 16
  EXPECT_EQ(round_width(1.49, 8), 16);  // 11.92 -> 8, which is below 0.9 * 11.92, so one step up
  EXPECT_EQ(round_width(1, 20), 20);    // 1 changes nothing
}

TEST(Rounding, DepthRoundsUpAndResolutionToAMultipleOfFour) {
  EXPECT_EQ(round_repeats(1.1, 1), 2);
  EXPECT_EQ(round_repeats(3.1, 4), 13);
  EXPECT_EQ(round_repeats(1, 4), 4);
  EXPECT_EQ(round_resolution(257.6), 256);
  EXPECT_EQ(round_resolution(258), 260);
  EXPECT_EQ(round_resolution(1), 4);
}

TEST(Rounding, DepthToTheNearestNumber) {
  const auto nearest = [](double depth, std::int64_t repeats) {
    return round_repeats(depth, repeats, DepthRounding::nearest);
  };
  EXPECT_EQ(nearest(0.6, 4), 2);   // 2.4
  EXPECT_EQ(nearest(0.85, 3), 3);  // 2.55
  EXPECT_EQ(nearest(1.5, 1), 2);   // halves up
  EXPECT_EQ(nearest(0.1, 4), 1);   // 0.4: never below 1
  EXPECT_EQ(nearest(1, 7), 7);
}

// Every published size is a multiple of 4, so that rounding does not change it.
TEST(Rounding, PublishedResolutionsAreFixedPoints) {
  for (const Variant& variant : family()) {
    if (!variant.name.starts_with("efficientnet_")) continue;
    const double ratio = static_cast<double>(variant.resolution) / 224;
    EXPECT_EQ(round_resolution(ratio * 224), variant.resolution) << variant.name;
  }
}

TEST(Scaled, PublishedCoefficientsGiveThePublishedFamily) {
  for (const Variant& variant : family()) {
    if (variant.base != "efficientnet_b0") continue;
    ArchSpec by_hand = scaled(b0(), variant.depth, variant.width, variant.resolution);
    by_hand.name = variant.name;
    by_hand.dropout = variant.spec.dropout;  // published_dropout(), not part of scaled()
    EXPECT_EQ(by_hand, variant.spec) << variant.name;
  }
}

TEST(Compound, PhiOfZeroIsTheBase) { EXPECT_EQ(scaled_by(b0(), 0).spec, b0()); }

TEST(Compound, ScalesOnlyTheGivenDimensions) {
  const Scaling depth = scaled_by(b0(), 2, {.dimensions = {true, false, false}});
  EXPECT_DOUBLE_EQ(depth.depth, 1.44);
  EXPECT_EQ(depth.width, 1);
  EXPECT_EQ(depth.resolution, 224);
  const Scaling all = scaled_by(b0(), 1);
  EXPECT_DOUBLE_EQ(all.depth, 1.2);
  EXPECT_DOUBLE_EQ(all.width, 1.1);
  EXPECT_EQ(all.resolution, 256);
  EXPECT_NEAR(Coefficients{}.constraint(), 1.9203, 5e-5);
}

TEST(Compound, FixedSizeNetworksAndBadMultipliersAreErrors) {
  EXPECT_THROW(scaled_by(variant("amoebanet_b").spec, 1), Error);
  EXPECT_THROW(scaled(b0(), 0, 1, 224), Error);
  EXPECT_THROW(scaled(b0(), 1, -1, 224), Error);
  EXPECT_THROW(scaled(b0(), NAN, 1, 224), Error);
  EXPECT_THROW(scaled(b0(), 1, 1, 0), Error);
  EXPECT_THROW(scaled(b0(), 100, 100, 224), Error) << "head: 128,000 channels, allowed are 65,536";
}

TEST(Compound, LiteKeepsStemHeadAndRepeatsOfFirstAndLastStage) {
  const ArchSpec lite = scaled(variant("efficientnet_lite0").spec, 3, 2, 448);
  EXPECT_EQ(lite.stem.channels, 32);
  EXPECT_EQ(lite.head.channels, 1280);
  EXPECT_EQ(lite.stages.front().repeats, 1);
  EXPECT_EQ(lite.stages.back().repeats, 1);
  EXPECT_EQ(lite.stages.front().channels, 32);
  EXPECT_EQ(lite.stages[1].repeats, 6);
}

// For targets from 0.3 to 100 times B0's cost: the cost never exceeds the target and is within 3 % of it.
TEST(Solve, ReachesTargetsFromBelow) {
  const double base = toy_cost(b0());
  for (double factor = 0.3; factor < 100; factor *= 1.37) {
    const Scaling found = solve(b0(), factor * base, {}, toy_cost);
    const double cost = toy_cost(found.spec);
    EXPECT_LE(cost, factor * base) << factor;
    EXPECT_GE(cost, 0.97 * factor * base) << factor;
    const double curve = std::pow(1.15, *found.phi) * 224;
    EXPECT_NEAR(static_cast<double>(found.resolution) / curve, 1, 0.06 + 2 / curve) << factor;
    EXPECT_EQ(found.spec, scaled(b0(), found.depth, found.width, found.resolution))
        << "the result equals scaled() with the same multipliers";
  }
}

TEST(Solve, ScalesOneDimensionAlone) {
  const double base = toy_cost(b0());
  const Scaling deep = solve(b0(), 4 * base, {.dimensions = {true, false, false}}, toy_cost);
  EXPECT_EQ(deep.width, 1);
  EXPECT_EQ(deep.resolution, 224);
  EXPECT_LE(toy_cost(deep.spec), 4 * base);
  EXPECT_GT(toy_cost(deep.spec), 3 * base);
}

// Every rule, from a tenth to 30 times the cost: never above the target, and the result equals scaled() with its
// multipliers.
TEST(Solve, EveryRuleStaysBelowTheTarget) {
  const double base = toy_cost(b0());
  for (const Rule& rule : rules()) {
    const RuleChoice choice{&rule, {}, {}};
    for (const double factor : {0.1, 0.47, 1.0, 3.1, 30.0}) {
      const std::optional<Scaling> found = find_scaling(b0(), factor * base, choice, toy_cost);
      if (!found) {
        EXPECT_EQ(rule.name, "depth") << "one block per stage has 0.516 of B0's toy cost";
        EXPECT_LT(factor, 0.516);
        EXPECT_THROW(solve(b0(), factor * base, choice, toy_cost), Error);
        continue;
      }
      const double cost = toy_cost(found->spec);
      EXPECT_LE(cost, factor * base) << rule.name << " " << factor;
      // Widths are rounded to 8, which is coarse at a tenth of the cost; depth alone moves in steps of one block.
      if (rule.scales_resolution && factor > 0.2) {
        EXPECT_GE(cost, 0.97 * factor * base) << rule.name << " " << factor;
      }
      if (rule.keeps_stem_and_head) continue;
      EXPECT_EQ(found->spec, scaled(b0(), found->depth, found->width, found->resolution, found->late_depth))
          << rule.name << " " << factor;
    }
  }
}

TEST(Solve, CapHoldsNearTheRulesResolution) {
  const double base = toy_cost(b0());
  for (double factor = 20; factor < 300; factor *= 1.21)
    EXPECT_LE(solve(b0(), factor * base, {&rule("capped"), {}, {}}, toy_cost).resolution, 480) << factor;
}

// tinynet makes the base deeper (d = 1.2) even where phi is below 0: beyond the range of an arch file here.
TEST(Solve, NetworksOutOfRangeCountAsTooLarge) {
  ArchSpec deep = b0();
  for (StageSpec& stage : deep.stages) stage.repeats = 900;
  const RuleChoice tinynet{&rule("tinynet"), {}, {}};
  const Scaling found = solve(deep, toy_cost(deep), tinynet, toy_cost);
  EXPECT_LE(toy_cost(found.spec), toy_cost(deep));
  EXPECT_LE(found.spec.stages[0].repeats, 1000);
  EXPECT_THROW(find_scaling(variant("amoebanet_b").spec, 1e30, tinynet, toy_cost), Error);
}

// Larger networks exist up to the ranges of an arch file. The search there costs only a few networks, because nothing
// near them reaches the target.
TEST(Solve, StopsAtTheLargestNetwork) {
  for (const char* name : {"compound", "resolution"}) {
    int counted = 0;
    const Cost counting = [&](const ArchSpec& spec) {
      ++counted;
      return toy_cost(spec);
    };
    const RuleChoice choice{&rule(name), {}, {}};
    const Scaling largest = solve(b0(), 1e300, choice, counting);
    EXPECT_TRUE(largest.at_limit) << name;
    EXPECT_LT(counted, 60) << name << ": the bisection halves 80 down to 1e-6 in 27 steps";
    EXPECT_THROW(scaled_by(b0(), *largest.phi + 0.01, choice), Error) << name;
    EXPECT_FALSE(solve(b0(), toy_cost(b0()), choice, toy_cost).at_limit) << name;
  }
}

TEST(Solve, UnreachableTargetIsAUsageError) {
  try {
    solve(b0(), 1, {}, toy_cost);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
  }
}

}  // namespace
}  // namespace effnet::arch
