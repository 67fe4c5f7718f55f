// NSGA-II (Deb, Pratap, Agarwal & Meyarivan, IEEE Transactions on Evolutionary Computation 6, 2002): evolution towards
// the whole front of quality and cost. It does not use the reward.
//
// Parents and children together are sorted into fronts; the first fronts survive. Of the last front that does not fit,
// the members with the largest crowding distance survive. A parent is the better of two members drawn with replacement:
// the one of the earlier front, or of the same front the one with the larger crowding distance. Every child is mutated
// in one choice; Deb et al. mutate each variable with probability 1 / number of variables, which is one on average.
#include <algorithm>
#include <map>
#include <numeric>

#include "effnet/base/error.h"
#include "effnet/search/control/draw_points.h"
#include "effnet/search/control/make_controllers.h"
#include "effnet/search/control/pareto.h"
#include "effnet/search/control/state.h"

namespace effnet::search {
namespace {

struct Member {
  Point point;
  Tradeoff value;
  std::size_t front = 0;
  double crowding = 0;
};

// The `population` best of `all`, from the first front to the last, with their fronts and crowding distances.
std::vector<Member> survivors(std::vector<Member> all, std::int64_t population) {
  std::vector<Tradeoff> values;
  values.reserve(all.size());
  for (const Member& member : all) values.push_back(member.value);
  std::vector<Member> survived;
  survived.reserve(all.size());
  std::size_t number = 0;
  for (const std::vector<std::size_t>& front : non_dominated_fronts(values)) {
    std::vector<Tradeoff> of_front;
    of_front.reserve(front.size());
    for (const std::size_t i : front) of_front.push_back(values[i]);
    const std::vector<double> distances = crowding_distances(of_front);
    std::vector<std::size_t> order(front.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return distances[a] > distances[b]; });
    for (const std::size_t i : order) {
      if (std::ssize(survived) == population) return survived;
      survived.push_back({std::move(all[front[i]].point), of_front[i], number, distances[i]});
    }
    ++number;
  }
  return survived;
}

const Member& parent(const std::vector<Member>& members, Draws& draws) {
  const Member& a = members[static_cast<std::size_t>(draws.below(std::ssize(members)))];
  const Member& b = members[static_cast<std::size_t>(draws.below(std::ssize(members)))];
  const bool b_is_better = b.front < a.front || (b.front == a.front && b.crowding > a.crowding);
  return b_is_better ? b : a;
}

class Nsga2 final : public Controller {
 public:
  Nsga2(const Space& space, const ControllerOptions& options) : space_(space), options_(options) {}

  Proposal next(std::int64_t generation, std::string_view state, std::span<const Result> last,
                std::int64_t count) const override {
    std::vector<Member> all = read(generation, state);
    std::map<Point, std::size_t> known;  // a network that was proposed again must not take two places
    for (std::size_t i = 0; i < all.size(); ++i) known.emplace(all[i].point, i);
    for (Result& result : usable_results(space_, last)) {
      const Tradeoff value{result.quality, result.cost};
      const auto [found, is_new] = known.emplace(result.point, all.size());
      if (is_new) {
        all.push_back({std::move(result.point), value});
      } else {
        // The results of one network differ only in their budgets: that of the larger one is as a rule the better one.
        Tradeoff& old = all[found->second].value;
        if (value.quality > old.quality) old = value;
      }
    }
    const std::vector<Member> members = survivors(std::move(all), options_.population);
    return {members.empty() ? random_points(space_, options_, generation, count) : children(members, generation, count),
            write(members, generation)};
  }

 private:
  std::vector<Member> read(std::int64_t generation, std::string_view text) const {
    std::vector<Member> members;
    const std::optional<StateReader> state = read_state(text, "nsga2", generation, space_);
    if (!state) return members;
    std::vector<Point> points = state->points("points");
    const std::vector<double> qualities = state->numbers("qualities"), costs = state->numbers("costs");
    if (qualities.size() != points.size() || costs.size() != points.size())
      throw input_error(
          "controller state: wrong number (got {} qualities and {} costs, expected {}, as many as points)",
          qualities.size(), costs.size(), points.size());
    members.reserve(points.size());
    for (std::size_t i = 0; i < points.size(); ++i) members.push_back({std::move(points[i]), {qualities[i], costs[i]}});
    return members;
  }

  std::string write(const std::vector<Member>& members, std::int64_t generation) const {
    Json text = new_state({"nsga2", generation, space_});
    for (const char* field : {"points", "qualities", "costs"}) text[field] = Json::array();
    for (const Member& member : members) {
      text["points"].push_back(member.point);
      text["qualities"].push_back(member.value.quality);
      text["costs"].push_back(member.value.cost);
    }
    return text.dump();
  }

  std::vector<Point> children(const std::vector<Member>& members, std::int64_t generation, std::int64_t count) const {
    std::vector<Point> points;
    points.reserve(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) {
      Draws draws(key_of(options_, generation, i), "nsga2 child");
      points.push_back(accepted_point(options_, [&] {
        const Point& first = parent(members, draws).point;
        if (!draws.chance(options_.crossover)) return mutate(space_, first, draws);
        const Point& second = parent(members, draws).point;
        return mutate(space_, cross_over(space_, first, second, draws), draws);
      }));
    }
    return points;
  }

  Space space_;
  ControllerOptions options_;
};

}  // namespace

std::unique_ptr<Controller> make_nsga2(const Space& space, const ControllerOptions& options) {
  return std::make_unique<Nsga2>(space, options);
}

}  // namespace effnet::search
