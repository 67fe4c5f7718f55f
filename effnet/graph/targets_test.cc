// arch::solve() with the exact costs. docs/cli.md: a target is never exceeded, and it is reached to within 3 % if a
// resolution within 6 % of gamma^phi allows it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/base/error.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::graph {
namespace {

double macs(const arch::ArchSpec& spec) { return static_cast<double>(costs(lower(spec)).macs); }
double params(const arch::ArchSpec& spec) { return static_cast<double>(costs(lower(spec)).params); }
double memory(const arch::ArchSpec& spec) { return static_cast<double>(activation_memory(lower(spec)).peak_bytes); }

// Returns whether a network within 3 % of the target exists. Exhaustive search: all phi from -4 to 9 in steps of 0.01,
// all resolutions within 6 % of gamma^phi.
bool reachable(const arch::ArchSpec& base, double target, const arch::Cost& cost) {
  for (double phi = -4; phi < 9; phi += 0.01) {
    arch::ArchSpec spec;
    try {
      spec = arch::scaled_by(base, phi).spec;
    } catch (const Error&) {
      continue;
    }
    const double centre = std::pow(1.15, phi) * static_cast<double>(base.resolution);
    spec.resolution = static_cast<std::int64_t>(std::ceil(centre * 0.94));
    if (cost(spec) > target) continue;
    for (; static_cast<double>(spec.resolution) <= centre * 1.06; ++spec.resolution) {
      const double got = cost(spec);
      if (got > target) break;
      if (got >= 0.97 * target) return true;
    }
  }
  return false;
}

TEST(Targets, MacsAreWithinThreePercentIfPossible) {
  for (const char* name : {"efficientnet_b0", "efficientnet_lite0", "mobilenet_v2", "resnet18"}) {
    const arch::ArchSpec& base = arch::variant(name).spec;
    for (const double factor : {0.31, 0.5, 0.77, 1.0, 1.3, 2.0, 3.3, 4.7, 9.0, 24.0}) {
      const double target = factor * macs(base);
      const double got = macs(arch::solve(base, target, {}, macs).spec);
      EXPECT_LE(got, target) << name << " " << factor;
      if (got < 0.97 * target) {
        EXPECT_FALSE(reachable(base, target, macs)) << name << " x" << factor << " reached " << got / target;
      }
    }
  }
}

TEST(Targets, B0At1800MillionMacsIsWithinThreePercent) {
  const arch::Scaling found = arch::solve(arch::variant("efficientnet_b0").spec, 1.8e9, {}, macs);
  EXPECT_LE(macs(found.spec), 1.8e9);
  EXPECT_GE(macs(found.spec), 0.97 * 1.8e9);
}

// The other rules with the exact MACs. width and depth move in steps, so only the upper bound holds for them.
TEST(Targets, EveryRuleReachesItsTarget) {
  for (const arch::Rule& rule : arch::rules()) {
    for (const char* name : {"efficientnet_b0", "resnet18"}) {
      const arch::ArchSpec& base = arch::variant(name).spec;
      for (const double factor : {0.5, 2.0, 4.7}) {
        const double target = factor * macs(base);
        const std::optional<arch::Scaling> found = arch::find_scaling(base, target, {&rule, {}, {}}, macs);
        ASSERT_TRUE(found || rule.name == "depth") << rule.name << " " << name << " " << factor;
        if (!found) continue;
        EXPECT_LE(macs(found->spec), target) << rule.name << " " << name << " " << factor;
        if (!rule.scales_resolution || macs(found->spec) >= 0.97 * target) continue;
        // Only where the next pixel would exceed the target: the resolution alone has nothing else to change.
        EXPECT_EQ(rule.name, "resolution") << name << " " << factor;
        arch::ArchSpec next = found->spec;
        ++next.resolution;
        EXPECT_GT(macs(next), target) << name << " " << factor;
      }
    }
  }
}

// 480 px is the cap of the rule. A resolution found for a target may be 6 % above the formula's, but not above both.
TEST(Targets, CappedLetsALargeBaseShrinkAndNotGrowInResolution) {
  const arch::RuleChoice capped{&arch::rule("capped"), {}, {}};
  for (const char* name : {"efficientnet_b0", "resnet18"}) {
    for (const std::int64_t px : {520, 600}) {
      const arch::ArchSpec base = arch::scaled(arch::variant(name).spec, 1, 1, px);
      for (const double factor : {0.99, 0.95, 0.8, 0.3}) {
        const arch::Scaling found = arch::solve(base, factor * macs(base), capped, macs);
        const double formula = std::min(1.0, std::pow(1.15, found.phi.value())) * static_cast<double>(px);
        constexpr double kRounding = 2;  // to a multiple of 4
        EXPECT_LT(found.resolution, px) << name << " x" << factor;
        EXPECT_LE(static_cast<double>(found.resolution), std::max(480.0, formula + kRounding))
            << name << " x" << factor;
      }
      for (const double factor : {1.5, 4.0})
        EXPECT_LE(arch::solve(base, factor * macs(base), capped, macs).resolution, px) << name << " x" << factor;
      EXPECT_EQ(arch::scaled_by(base, 1, capped).resolution, px) << name;
      EXPECT_EQ(arch::scaled_by(base, -1, capped).resolution, arch::scaled_by(base, -1).resolution) << name;
    }
    const arch::ArchSpec& small = arch::variant(name).spec;  // 224 px
    for (const double factor : {8.0, 20.0})
      EXPECT_LE(arch::solve(small, factor * macs(small), capped, macs).resolution, 480) << name << " x" << factor;
  }
}

// At the MACs of a published TinyNet, the rule finds nearly its multipliers.
TEST(Targets, TinynetFindsThePublishedNetworks) {
  const arch::ArchSpec& base = arch::variant("efficientnet_b0").spec;
  for (const char* name : {"tinynet_a", "tinynet_b", "tinynet_c", "tinynet_d", "tinynet_e"}) {
    const arch::Variant& published = arch::variant(name);
    const double target = macs(published.spec);
    const arch::Scaling found = arch::solve(base, target, {&arch::rule("tinynet"), {}, {}}, macs);
    EXPECT_LE(macs(found.spec), target) << name;
    EXPECT_GE(macs(found.spec), 0.97 * target) << name;
    EXPECT_NEAR(found.depth / published.depth, 1, 0.1) << name;
    EXPECT_NEAR(found.width / published.width, 1, 0.1) << name;
    EXPECT_NEAR(static_cast<double>(found.resolution) / static_cast<double>(published.resolution), 1, 0.1) << name;
  }
}

TEST(Targets, ParametersAndMemoryAreNeverExceeded) {
  for (const arch::Variant& variant : arch::family()) {
    if (!variant.spec.scalable || macs(variant.spec) > 5e9) continue;
    for (const double factor : {0.6, 1.0, 2.5}) {
      const double most = factor * params(variant.spec);
      // The classifier and the head, which TinyNet keeps, are most of the parameters of TinyNet-C to E.
      if (const auto found = arch::find_scaling(variant.spec, most, {}, params)) {
        EXPECT_LE(params(found->spec), most) << variant.name;
      } else {
        EXPECT_EQ(variant.base, "tinynet") << variant.name;
        EXPECT_EQ(factor, 0.6);
      }
      EXPECT_LE(memory(arch::solve(variant.spec, factor * memory(variant.spec), {}, memory).spec),
                factor * memory(variant.spec))
          << variant.name;
    }
  }
}

}  // namespace
}  // namespace effnet::graph
