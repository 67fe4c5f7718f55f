#include "effnet/search/space/space.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "effnet/base/error.h"
#include "effnet/search/space/named_spaces.h"
#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

Draws draws_of(std::uint64_t seed) { return {{.seed = seed}, "test"}; }

TEST(Space, SizeIsExactBeyond64Bits) {
  Space space{.name = "s", .base = {}, .choices = {}};
  EXPECT_EQ(space.size(), "1");
  space.choices.assign(50, {0, "kernel", {"3", "5", "7"}});
  EXPECT_EQ(space.size(), "717897987691852588770249");  // 3^50
  space.choices.assign(18, {0, "kernel", {"1", "3", "5", "7", "9", "11", "13", "15", "2", "4"}});
  EXPECT_EQ(space.size(), "1000000000000000000");
}

TEST(Space, ANetworkHasItsOptions) {
  const Space space = two_stages(
      "[[stages]]\nstage = 2\nblock = ['basic', 'mbconv']\nkernel = [3, 5]\nse = [0, 0.25]\nskip = [true, false]\n"
      "expand = [1, 6]\nwidth = [1, 2.5]\nlayers = [-1, 0, 2]\n");
  const arch::ArchSpec spec = network_of(space, {1, 1, 1, 1, 1, 1, 2});
  arch::ArchSpec expected = space.base;
  expected.name = "base-found";
  expected.stages[1] = {
      .block = "mbconv", .repeats = 3, .channels = 24, .kernel = 5, .expand = 6, .se = 0.25, .skip = false};
  EXPECT_EQ(spec, expected);  // 8 * 2.5 = 20 is rounded to 24
  EXPECT_EQ(network_of(space, {0, 0, 0, 0, 0, 0, 0}).stages[1].repeats, 1) << "one block remains";
}

TEST(Space, APointOfAnotherSpaceIsAnInternalError) {
  const Space space = two_stages("[choices]\nkernel = [3, 5]\n");
  for (const Point& point : {Point{}, Point{0}, Point{0, 0, 0}, Point{0, 2}, Point{-1, 0}}) {
    try {
      network_of(space, point);
      ADD_FAILURE() << point.size();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::internal);
    }
  }
}

TEST(Sample, IsUniform) {
  const Space space = two_stages("[[stages]]\nstage = 1\nkernel = [3, 5, 7]\nlayers = [0, 1]\n");
  std::map<Point, int> counts;
  Draws draws = draws_of(1);
  for (int i = 0; i < 6000; ++i) ++counts[sample(space, draws)];
  ASSERT_EQ(counts.size(), 6U);
  // 1000 is expected; the standard deviation is sqrt(6000 * 1/6 * 5/6) = 29.
  for (const auto& [point, count] : counts) EXPECT_NEAR(count, 1000, 5 * 29) << to_text(space, point);
}

TEST(Sample, GivesCanonicalPointsThatDependOnTheDrawsOnly) {
  const Space& space = named_space("mnasnet");
  std::set<Point> different;
  Draws draws = draws_of(2), again = draws_of(2), other = draws_of(3);
  bool all_equal = true;
  for (int i = 0; i < 10'000; ++i) {
    const Point point = sample(space, draws);
    ASSERT_EQ(canonical(space, point), point);
    ASSERT_EQ(sample(space, again), point);
    all_equal = all_equal && sample(space, other) == point;
    different.insert(point);
  }
  EXPECT_FALSE(all_equal);
  // The space has 5 * 10^18 points, so that two equal ones among 10^4 are improbable.
  EXPECT_EQ(different.size(), 10'000U);
}

TEST(Mutate, ChangesTheNetworkByOneChoice) {
  const Space& space = named_space("cifar");
  Draws draws = draws_of(4);
  std::set<std::size_t> mutated;
  for (int i = 0; i < 300; ++i) {
    const Point point = sample(space, draws);
    const Point mutant = mutate(space, point, draws);
    EXPECT_NE(graph_text(network_of(space, mutant)), graph_text(network_of(space, point)));
    EXPECT_EQ(canonical(space, mutant), mutant);
    bool one_choice = false;
    for (std::size_t choice = 0; choice < point.size(); ++choice) {
      Point changed = point;
      changed[choice] = mutant[choice];
      if (changed == point || canonical(space, changed) != mutant) continue;
      one_choice = true;
      mutated.insert(choice);
    }
    EXPECT_TRUE(one_choice) << to_text(space, point) << " became " << to_text(space, mutant);
  }
  EXPECT_EQ(mutated.size(), space.choices.size()) << "every choice is changed sometimes";
}

TEST(Mutate, FindsTheOnlyChoiceWithAnEffect) {
  const Space space = two_stages(
      "[choices]\nblock = ['depthwise_separable']\n[[stages]]\nstage = 1\nexpand = [1, 2, 3]\nse = [0, 0.5]\n"
      "skip = [true, false]\nlayers = [-2, -1, 0]\n[[stages]]\nstage = 2\nkernel = [3, 5]\nexpand = [1, 2]\n");
  const Point start(space.choices.size(), 0);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Draws draws = draws_of(seed);
    EXPECT_EQ(to_text(space, mutate(space, start, draws)), "se0 skip=true e1 l-2 / k5 e1");
  }
}

TEST(Mutate, ReturnsThePointIfTheSpaceHasOneNetwork) {
  const Space space = two_stages("[choices]\nblock = ['basic']\nexpand = [1, 2, 3]\nse = [0, 0.5]\n");
  Draws draws = draws_of(5);
  const Point point = sample(space, draws);
  EXPECT_EQ(point, Point(4, 0));
  EXPECT_EQ(mutate(space, point, draws), point);
}

TEST(CrossOver, TakesEachOptionFromOneOfTheParents) {
  const Space space = two_stages("[choices]\nkernel = [3, 5, 7]\nexpand = [1, 2, 3]\nchannels = [8, 16, 24]\n");
  const Point a{0, 0, 0, 0, 0, 0}, b{1, 2, 1, 2, 1, 2};
  Draws draws = draws_of(6);
  std::set<Point> children;
  for (int i = 0; i < 1000; ++i) {
    const Point child = cross_over(space, a, b, draws);
    for (std::size_t choice = 0; choice < child.size(); ++choice)
      EXPECT_TRUE(child[choice] == a[choice] || child[choice] == b[choice]);
    children.insert(child);
  }
  EXPECT_EQ(children.size(), 64U) << "all 2^6; the probability that one is missing is 64 * (63/64)^1000 = 1e-5";
  EXPECT_EQ(cross_over(space, b, b, draws), b);
}

TEST(CrossOver, IsCanonical) {
  const Space space = two_stages("[[stages]]\nstage = 1\nblock = ['mbconv', 'basic']\nexpand = [1, 2]\n");
  std::set<Point> children;
  Draws draws = draws_of(7);
  for (int i = 0; i < 100; ++i) children.insert(cross_over(space, {0, 1}, {1, 0}, draws));
  EXPECT_EQ(children, (std::set<Point>{{0, 0}, {0, 1}, {1, 0}}));
}

}  // namespace
}  // namespace effnet::search
