// What single controllers do, and that they search better than chance. All tests are exact functions of their seeds.
#include <gtest/gtest.h>

#include <set>

#include "effnet/search/control/controller_testing.h"
#include "effnet/search/control/pareto.h"
#include "effnet/search/json_field.h"
#include "effnet/search/nas/toy.h"

namespace effnet::search {
namespace {

constexpr int kSeeds = 20;
// With 20 fair coins 15 or more heads have the probability 0.0207 (sign test).
constexpr int kEnoughWins = 15;

std::vector<Result> search_toy(std::string_view controller, ControllerOptions options, std::uint64_t seed,
                               std::int64_t generations, std::int64_t size) {
  const Space space = wide_space();
  const ToyProblem quality(space, seed), cost(space, seed + 1000);
  options.seed = seed;
  return run_search(*controller_kind(controller).make(space, options), generations, size, [&](const Point& point) {
    const double value = quality.quality(point);
    return Result{.point = point, .reward = value, .quality = value, .cost = cost.quality(point)};
  });
}

// In how many seeds `score` of the controller's results is higher than that of a random search of equal length.
int wins(std::string_view controller, const ControllerOptions& options, std::int64_t generations, std::int64_t size,
         double (*score)(const std::vector<Result>&)) {
  int count = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const double mine = score(search_toy(controller, options, seed, generations, size));
    const double by_chance = score(search_toy("random", options, seed, generations, size));
    if (mine > by_chance) ++count;
  }
  return count;
}

double hypervolume_of(const std::vector<Result>& results) {
  std::vector<Tradeoff> all;
  all.reserve(results.size());
  for (const Result& one : results) all.push_back({one.quality, one.cost});
  return hypervolume(all, {.quality = 0, .cost = 1});
}

TEST(ControllerSearch, EvolutionBeatsRandom) { EXPECT_GE(wins("evolution", {}, 10, 16, &best_reward), kEnoughWins); }

TEST(ControllerSearch, Nsga2BeatsRandom) { EXPECT_GE(wins("nsga2", {}, 20, 16, &hypervolume_of), kEnoughWins); }

// The default learning rate of 3.5e-4 is NASNet's, for 20,000 networks; 400 networks need a larger one.
TEST(ControllerSearch, RlBeatsRandom) {
  ControllerOptions options;
  options.learning_rate = 0.01;
  options.hidden = 32;
  EXPECT_GE(wins("rl", options, 25, 16, &best_reward), kEnoughWins);
}

TEST(ControllerSearch, RlPrefersWhatIsRewarded) {
  ControllerOptions options;
  options.learning_rate = 0.01;
  options.hidden = 16;
  const auto controller = controller_kind("rl").make(small_space(), options);
  const std::vector<Result> results = run_search(*controller, 40, 16, [](const Point& point) {
    return Result{.point = point, .reward = point[0] == 1 && point[3] == 2 ? 1.0 : 0.0};
  });
  const auto rewarded = [](std::span<const Result> some) {
    return std::ranges::count_if(some, [](const Result& one) { return one.reward > 0; });
  };
  EXPECT_LT(rewarded(std::span(results).first(32)), 12);  // about 1/9 of them by chance
  EXPECT_GT(rewarded(std::span(results).last(32)), 28);
}

// About the size of MnasNet's space: 42 choices. The state stays below 1 MB with the default of 100 hidden units.
TEST(ControllerSearch, TheStateOfRlIsSmall) {
  const Space space = parse_space(
      "name = 'large'\n"
      "base = 'efficientnet_b0'\n"
      "[choices]\n"
      "kernel = [3, 5, 7]\n"
      "expand = [1, 3, 4, 6]\n"
      "se = [0, 0.25]\n"
      "skip = [true, false]\n"
      "width = [0.75, 1, 1.25]\n"
      "layers = [-1, 0, 1]\n",
      "test");
  const auto controller = controller_kind("rl").make(space, {});
  Proposal proposal = controller->next(0, "", {}, 16);
  std::vector<Result> results;
  results.reserve(16);
  for (const Point& point : proposal.points)
    results.push_back({.point = point, .reward = static_cast<double>(point[3]), .quality = 0, .cost = 0});
  proposal = controller->next(1, proposal.state, results, 16);
  EXPECT_EQ(proposal.points.size(), 16U);
  EXPECT_LT(proposal.state.size(), 1'000'000U);
}

TEST(ControllerSearch, ControllersBeginWithTheSameRandomPoints) {
  const Space space = wide_space();
  const auto begin = [&](std::string_view name) {
    return controller_kind(name).make(space, {})->next(0, "", {}, 9).points;
  };
  EXPECT_EQ(begin("evolution"), begin("random"));
  EXPECT_EQ(begin("nsga2"), begin("random"));
}

// The random controller draws each option equally often: 3,000 draws of 3 options, standard deviation 26.
TEST(ControllerSearch, RandomIsUniform) {
  const auto controller = controller_kind("random").make(wide_space(), {});
  int counts[3] = {};
  for (const Point& point : controller->next(0, "", {}, 3000).points) ++counts[point[7]];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 4 * 26);
}

int differences(const Point& a, const Point& b) {
  int count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] != b[i] ? 1 : 0;
  return count;
}

// With a tournament of 1,000 of 10 members the parent is the best member, and a child differs in one choice.
TEST(ControllerSearch, EvolutionMutatesTheBest) {
  ControllerOptions options;
  options.tournament = 1000;
  const auto controller = controller_kind("evolution").make(wide_space(), options);
  const Proposal first = controller->next(0, "", {}, 10);
  std::vector<Result> results;
  results.reserve(10);
  for (const Point& point : first.points)
    results.push_back({.point = point, .reward = results.size() == 4 ? 1.0 : 0.1, .quality = 0, .cost = 0});
  const Proposal second = controller->next(1, first.state, results, 20);
  std::set<Point> different;
  for (const Point& child : second.points) {
    EXPECT_EQ(differences(child, first.points[4]), 1);
    different.insert(child);
  }
  EXPECT_GT(different.size(), 10U);  // of 28 possible ones
}

// The members are the last ones, whatever their rewards are.
TEST(ControllerSearch, EvolutionForgetsTheOldest) {
  ControllerOptions options;
  options.population = 5;
  const auto controller = controller_kind("evolution").make(wide_space(), options);
  const Proposal first = controller->next(0, "", {}, 4);
  std::vector<Result> results;
  results.reserve(4);
  for (const Point& point : first.points)
    results.push_back({.point = point, .reward = 10.0 - static_cast<double>(results.size()), .quality = 0, .cost = 0});
  const Proposal second = controller->next(1, first.state, results, 3);
  EXPECT_EQ(Json::parse(second.state)["rewards"], Json::array({10.0, 9.0, 8.0, 7.0}));
  results.clear();
  for (const Point& point : second.points) results.push_back({.point = point, .reward = 1, .quality = 0, .cost = 0});
  const Json state = Json::parse(controller->next(2, second.state, results, 3).state);
  EXPECT_EQ(state["rewards"], Json::array({8.0, 7.0, 1.0, 1.0, 1.0}));
  EXPECT_EQ(state["points"][4], Json(second.points[2]));
}

// Five trade-offs for three places: B, D and E are the first front (each has a higher cost and a higher quality than
// the one before), A is dominated by B, C by D. With four places C or A follows; both are in the second front.
TEST(ControllerSearch, Nsga2KeepsTheFirstFronts) {
  const std::vector<Tradeoff> values{{0.1, 2}, {0.2, 1}, {0.4, 6}, {0.5, 5}, {0.9, 9}};
  const auto kept = [&](std::int64_t population) {
    ControllerOptions options;
    options.population = population;
    const auto controller = controller_kind("nsga2").make(wide_space(), options);
    const Proposal first = controller->next(0, "", {}, 5);
    std::vector<Result> results;
    results.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      results.push_back({.point = first.points[i], .reward = 0, .quality = values[i].quality, .cost = values[i].cost});
    }
    const Json state = Json::parse(controller->next(1, first.state, results, 2).state);
    const auto qualities = state["qualities"].get<std::vector<double>>();
    return std::multiset<double>(qualities.begin(), qualities.end());
  };
  EXPECT_EQ(kept(3), (std::multiset<double>{0.2, 0.5, 0.9}));
  EXPECT_EQ(kept(2), (std::multiset<double>{0.2, 0.9}));  // both ends of the front have an infinite crowding distance
  EXPECT_EQ(kept(5).size(), 5U);
}

// A network that was proposed again has one place, with its best result: that of the largest budget.
TEST(ControllerSearch, Nsga2CountsANetworkOnce) {
  const auto controller = controller_kind("nsga2").make(wide_space(), {});
  const Proposal first = controller->next(0, "", {}, 2);
  const std::vector<Result> results{{.point = first.points[0], .reward = 0, .quality = 0.5, .cost = 1},
                                    {.point = first.points[0], .reward = 0, .quality = 0.6, .cost = 1}};
  const Proposal second = controller->next(1, first.state, results, 2);
  EXPECT_EQ(Json::parse(second.state)["qualities"], Json::array({0.6}));
  for (const auto& [quality, expected] : {std::pair{0.4, 0.6}, std::pair{0.7, 0.7}}) {
    const std::vector<Result> again{{.point = first.points[0], .reward = 0, .quality = quality, .cost = 1}};
    EXPECT_EQ(Json::parse(controller->next(2, second.state, again, 2).state)["qualities"], Json::array({expected}));
  }
}

}  // namespace
}  // namespace effnet::search
