#include "effnet/search/nas/toy.h"

#include <gtest/gtest.h>

#include <set>

#include "effnet/search/control/controller_testing.h"
#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

TEST(Toy, TheOptimumIsTheBestOfAllPoints) {
  const Space space = small_space();
  ASSERT_EQ(space.size(), "36");
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const ToyProblem problem(space, seed);
    const ToyProblem::Optimum optimum = problem.optimum();
    double smallest = 1;
    for_each_point(space, [&](const Point& point) {
      const double quality = problem.quality(point);
      smallest = std::min(smallest, quality);
      EXPECT_TRUE(point == optimum.point || quality < optimum.quality);
    });
    EXPECT_NEAR(optimum.quality, 1, 1e-12);
    EXPECT_NEAR(smallest, 0, 1e-12);
    EXPECT_EQ(optimum.quality, problem.quality(optimum.point));
  }
}

TEST(Toy, TheOptimumIsCanonical) {
  const Space space = space_with_twins();
  std::set<Point> networks;
  int below_one = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const ToyProblem problem(space, seed);
    const ToyProblem::Optimum optimum = problem.optimum();
    EXPECT_EQ(canonical(space, optimum.point), optimum.point);
    for_each_point(space, [&](const Point& point) {
      networks.insert(canonical(space, point));
      EXPECT_EQ(problem.quality(point), problem.quality(canonical(space, point)));
      EXPECT_LE(problem.quality(point), optimum.quality);
    });
    if (optimum.quality < 1 - 1e-9) ++below_one;
  }
  EXPECT_EQ(networks.size(), 12U);
  EXPECT_GT(below_one, 0);  // seeds for which the best point of all is not canonical
}

TEST(Toy, TheSeedDecides) {
  const Space space = wide_space();
  const ToyProblem::Optimum optimum = toy_optimum(space, 1);
  EXPECT_EQ(optimum.point, toy_optimum(space, 1).point);
  EXPECT_NE(optimum.point, toy_optimum(space, 2).point);
  EXPECT_NEAR(optimum.quality, 1, 1e-12);
}

// Without pair values the best point would have the best option of each choice, whatever the other choices are.
TEST(Toy, NeighboursInteract) {
  const Space space = small_space();
  const ToyProblem problem(space, 1);
  const double difference = problem.quality({1, 0, 0, 0}) - problem.quality({0, 0, 0, 0});
  EXPECT_GT(std::abs(problem.quality({1, 1, 0, 0}) - problem.quality({0, 1, 0, 0}) - difference), 1e-3);
  EXPECT_NEAR(problem.quality({1, 0, 1, 1}) - problem.quality({0, 0, 1, 1}), difference, 1e-12);
}

TEST(Toy, TheEvaluatorReturnsTheQuality) {
  const Space space = small_space();
  EvaluatorSettings settings;
  settings.seed = 7;
  const std::unique_ptr<Evaluator> evaluator = make_toy_evaluator(space, settings);
  const Point point = {2, 1, 0, 2};
  const Quality quality = evaluator->evaluate(network_of(space, point), point, {});
  EXPECT_EQ(quality.value, ToyProblem(space, 7).quality(point));
  EXPECT_EQ(quality.details, "{}");
}

}  // namespace
}  // namespace effnet::search
