#include "effnet/arch/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/base/error.h"

namespace effnet::arch {
namespace {

const ArchSpec& b0() { return variant("efficientnet_b0").spec; }

Multipliers at(std::string_view name, double phi, Dimensions dimensions = {}, double base_px = 224) {
  return rule(name).multipliers({phi, {}, dimensions, base_px});
}

TEST(Rules, NamesAreUniqueAndEveryRowIsComplete) {
  std::set<std::string_view> names;
  for (const Rule& row : rules()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.formula.empty() || row.source.empty() || row.use.empty()) << row.name;
    EXPECT_EQ(&rule(row.name), &row);
  }
  EXPECT_EQ(rules().front().name, "compound") << "the default";
}

TEST(Rules, UnknownNameIsAUsageError) {
  try {
    rule("fats");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_THAT(error.what(), testing::StartsWith("unknown scaling rule (got 'fats', expected compound, uniform"));
  }
}

// docs/reference/scaling.md. 1e-12: a few roundings of double.
TEST(Rules, FormulasOfTheSources) {
  const double s = 8;  // phi = 3
  EXPECT_NEAR(at("uniform", 3).depth, std::cbrt(s), 1e-12);
  EXPECT_NEAR(at("uniform", 3).width, std::sqrt(2), 1e-12);
  EXPECT_NEAR(at("uniform", 3).resolution, std::sqrt(2), 1e-12);
  EXPECT_NEAR(at("fast", 3).depth, std::pow(s, 0.1), 1e-12);
  EXPECT_NEAR(at("fast", 3).width, std::pow(s, 0.4), 1e-12);
  EXPECT_NEAR(at("fast", 3).resolution, std::pow(s, 0.05), 1e-12);
  EXPECT_NEAR(at("depth", 3).depth, s, 1e-12);
  EXPECT_NEAR(at("width", 3).width, std::sqrt(s), 1e-12);
  EXPECT_NEAR(at("resolution", 3).resolution, std::sqrt(s), 1e-12);
  EXPECT_NEAR(at("compound", 3).depth, 1.2 * 1.2 * 1.2, 1e-12);
}

// The cost model: s = d*w^2*r^2. The cap of capped is not reached at 224 px and these phi.
TEST(Rules, MultiplyTheMacsByS) {
  for (const Rule& row : rules()) {
    const double base = RuleChoice{&row, {}, {}}.base_of_s();
    for (const double phi : {-7.0, -4.1, -1.0, -0.1, 0.0, 0.5, 2.0, 4.0}) {
      const Multipliers m = row.multipliers({phi, {}, {}, 224});
      const double s = m.depth * m.late_depth * m.width * m.width * m.resolution * m.resolution;
      EXPECT_NEAR(s / std::pow(base, phi), 1, 1e-12) << row.name << " " << phi;
    }
  }
}

TEST(Rules, NoMultiplierDecreasesWhenPhiGrows) {
  for (const Rule& row : rules()) {
    Multipliers last = row.multipliers({kSmallestPhi, {}, {}, 224});
    for (double phi = kSmallestPhi; phi < 20; phi += 0.037) {
      const Multipliers m = row.multipliers({phi, {}, {}, 224});
      constexpr double kRounding = 1 - 1e-12;  // tinynet computes a constant width as a quotient
      EXPECT_GE(m.depth, kRounding * last.depth) << row.name << " " << phi;
      EXPECT_GE(m.width, kRounding * last.width) << row.name << " " << phi;
      EXPECT_GE(m.resolution, kRounding * last.resolution) << row.name << " " << phi;
      EXPECT_GE(m.late_depth, kRounding * last.late_depth) << row.name << " " << phi;
      last = m;
    }
  }
}

TEST(Rules, PairsOfDimensionsGetEqualShares) {
  const Multipliers dw = at("uniform", 2, {true, true, false});
  EXPECT_NEAR(dw.depth, 2, 1e-12);
  EXPECT_NEAR(dw.width * dw.width, 2, 1e-12);
  EXPECT_EQ(dw.resolution, 1);
  const Multipliers wr = at("uniform", 2, {false, true, true});
  EXPECT_EQ(wr.depth, 1);
  EXPECT_EQ(wr.width, wr.resolution);
}

TEST(Rules, CappedGivesTheMacsAboveTheCapToTheLaterStages) {
  const double below = 5;  // 1.15^5 * 224 = 450.5
  EXPECT_EQ(at("capped", below).resolution, at("compound", below).resolution);
  EXPECT_EQ(at("capped", below).late_depth, 1);
  const Multipliers above = at("capped", 8);  // 1.15^8 * 224 = 685
  EXPECT_NEAR(above.resolution * 224, 480, 1e-9);
  EXPECT_NEAR(above.late_depth, std::pow(std::pow(1.15, 8) * 224 / 480, 2), 1e-12);
  EXPECT_EQ(above.depth, at("compound", 8).depth);
  EXPECT_EQ(at("capped", 2, {}, 600).resolution, 1) << "a larger base keeps its resolution";
  EXPECT_LT(at("capped", -2, {}, 600).resolution, 1) << "but becomes smaller";
}

// The published networks; phi = log2(d*w^2*r^2).
TEST(Rules, TinynetPassesThroughThePublishedNetworks) {
  const double rows[][3] = {{1.0, 1.2, 192}, {0.75, 1.1, 188}, {0.54, 0.85, 184}, {0.54, 0.695, 152}, {0.51, 0.6, 106}};
  for (const auto& [w, d, px] : rows) {
    const Multipliers m = at("tinynet", std::log2(d * w * w * (px / 224) * (px / 224)));
    EXPECT_NEAR(m.depth, d, 1e-12);
    EXPECT_NEAR(m.width, w, 1e-12);
    EXPECT_NEAR(m.resolution * 224, px, 1e-9);
  }
  EXPECT_NEAR(at("tinynet", 1).depth, 1.2, 1e-12) << "beyond TinyNet-A only the width grows";
  EXPECT_NEAR(at("tinynet", -30).resolution * 224, 106, 1e-9);
}

TEST(ScaledBy, CappedMakesTheLaterStagesDeeper) {
  const Scaling big = scaled_by(b0(), 8, {&rule("capped"), {}, {}});
  EXPECT_EQ(big.resolution, 480);
  for (std::size_t i = 0; i < 7; ++i) {
    const double depth = i < 3 ? big.depth : big.depth * big.late_depth;
    EXPECT_EQ(big.spec.stages[i].repeats, round_repeats(depth, b0().stages[i].repeats)) << i;
  }
  EXPECT_THAT(big.spec.name, testing::HasSubstr("-r480-l2.03"));
  EXPECT_EQ(parse(print(big.spec), "capped"), big.spec);
}

TEST(ScaledBy, TinynetKeepsStemAndHeadAndRoundsToTheNearest) {
  const Scaling small = scaled_by(b0(), -5, {&rule("tinynet"), {}, {}});
  EXPECT_EQ(small.spec.stem, (StemSpec{.scale_width = false}));
  EXPECT_EQ(small.spec.head.channels, 1280);
  EXPECT_EQ(small.spec.depth_rounding, DepthRounding::nearest);
  EXPECT_EQ(small.spec.stages[5].repeats, 2) << "0.6 * 4 = 2.4";
  EXPECT_EQ(parse(print(small.spec), "tinynet"), small.spec);
}

// The rule applied to B0 gives the named networks, which a file of the family defines.
TEST(ScaledBy, PublishedMultipliersGiveTheNamedTinyNets) {
  const ArchSpec base = prepared_for(b0(), rule("tinynet"));
  for (const char* name : {"tinynet_a", "tinynet_b", "tinynet_c", "tinynet_d", "tinynet_e"}) {
    const Variant& published = variant(name);
    ArchSpec spec = scaled(base, published.depth, published.width, published.resolution);
    spec.name = published.spec.name;
    spec.family = published.spec.family;
    EXPECT_EQ(spec, published.spec) << name;
  }
}

}  // namespace
}  // namespace effnet::arch
