#include "effnet/search/scale/scale_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"

namespace effnet::search {
namespace {

using testing::HasSubstr;

// depth * width^2 * resolution^2 of the rounded network.
double toy_cost(const arch::ArchSpec& spec) {
  double sum = 0;
  for (const arch::StageSpec& stage : spec.stages)
    sum += static_cast<double>(stage.repeats * stage.channels * stage.channels);
  return sum * static_cast<double>(spec.resolution * spec.resolution);
}

const arch::ArchSpec& b0() { return arch::variant("efficientnet_b0").spec; }

TEST(ScaleGrid, EveryPointCostsTheFactor) {
  const std::vector<GridPoint> points = scale_grid(b0(), toy_cost, {});
  EXPECT_GT(points.size(), 20U);
  std::set<std::string> networks;
  for (const GridPoint& point : points) {
    const auto& c = point.coefficients;
    EXPECT_GE(std::min({c.alpha, c.beta, c.gamma}), 1);
    EXPECT_NEAR(toy_cost(point.spec) / toy_cost(b0()), 2, 0.2);
    EXPECT_EQ(point.spec, arch::scaled_by(b0(), 1, {.coefficients = c}).spec);
    arch::ArchSpec anonymous = point.spec;
    anonymous.name = "x";
    EXPECT_TRUE(networks.insert(arch::print(anonymous)).second) << "each network is there once";
  }
}

TEST(ScaleGrid, OnlyOneDimensionIsThereToo) {
  const std::vector<GridPoint> points = scale_grid(b0(), toy_cost, {.step = 0.1, .factor = 2, .tolerance = 0.3});
  const auto has = [&](double alpha, double gamma) {
    return std::ranges::any_of(points, [&](const GridPoint& point) {
      return point.coefficients.alpha == alpha && point.coefficients.gamma == gamma;
    });
  };
  EXPECT_TRUE(has(1.2, 1.2) || has(1.2, 1.1));
}

TEST(ScaleGrid, SaysWhichPointIsNearestIfNoneFits) {
  arch::ArchSpec tiny = b0();
  tiny.resolution = 16;  // a multiple of 4 is 25 % of it
  tiny.stages.resize(1);
  try {
    scale_grid(tiny, toy_cost, {.step = 0.5, .factor = 1.9, .tolerance = 0.001});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_THAT(error.what(), HasSubstr("nearest: alpha="));
  }
}

// The message is true only for the points that were tried. A cost that grows with the width alone, and linearly, needs
// alpha * beta^2 * gamma^2 = 25 for a factor of 5.
TEST(ScaleGrid, SaysWhatWasTriedIfNoneFits) {
  const arch::Cost linear = [](const arch::ArchSpec& spec) { return static_cast<double>(spec.stages[0].channels); };
  const auto refusal = [&](const GridOptions& options) -> std::string {
    try {
      scale_grid(b0(), linear, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(
      refusal({.step = 0.8, .factor = 5, .tolerance = 0.25}),
      HasSubstr("within 25 % (tried alpha up to 6.25, beta and gamma up to 2.5, alpha*beta^2*gamma^2 from 3.333 "
                "to 7.5; nearest: alpha="));
  // The only point is 1, 1, 1, whose product is below 1.6 / 1.5.
  EXPECT_THAT(refusal({.step = 1, .factor = 1.6, .tolerance = 0.1}), HasSubstr("; no point is in this range)"));
}

TEST(ScaleGrid, RefusesWrongOptions) {
  EXPECT_THROW(scale_grid(b0(), toy_cost, {.step = 0}), Error);
  EXPECT_THROW(scale_grid(b0(), toy_cost, {.step = std::nan("")}), Error);
  EXPECT_THROW(scale_grid(b0(), toy_cost, {.step = 0.05, .factor = 1}), Error);
  EXPECT_THROW(scale_grid(arch::variant("amoebanet_b").spec, toy_cost, {}), Error);
}

TEST(Candidate, TextReadsBackExactly) {
  for (const arch::Coefficients& c : {arch::Coefficients{}, arch::Coefficients{1, 1.0 / 3 + 1, 1e-3 + 1}}) {
    const arch::Coefficients back = parse_candidate(candidate_text(c));
    EXPECT_EQ(back.alpha, c.alpha);
    EXPECT_EQ(back.beta, c.beta);
    EXPECT_EQ(back.gamma, c.gamma);
  }
  for (const char* text :
       {"", "alpha=1", "alpha=1 beta=x gamma=1", "alpha=1 beta=1 gamma=1 ", "beta=1 alpha=1 gamma=1"})
    EXPECT_THROW(parse_candidate(text), Error) << text;
}

}  // namespace
}  // namespace effnet::search
