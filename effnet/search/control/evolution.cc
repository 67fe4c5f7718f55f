// Aging evolution (Real, Aggarwal, Huang & Le, AAAI 2019, algorithm 1): a child is a mutation of the best of some
// members that are drawn with replacement. The oldest members leave, not the worst ones. So a network that was lucky in
// one noisy evaluation does not stay for ever.
//
// The paper adds one child at a time; here the children of a generation are added together, because their networks are
// evaluated at the same time. The paper begins with a full population of random networks; here only generation 0 is
// random, because a study has hundreds of trials and not the paper's 20,000.
#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/search/control/draw_points.h"
#include "effnet/search/control/make_controllers.h"
#include "effnet/search/control/state.h"

namespace effnet::search {
namespace {

struct Members {  // the oldest one first
  std::vector<Point> points;
  std::vector<double> rewards;
};

class Evolution final : public Controller {
 public:
  Evolution(const Space& space, const ControllerOptions& options) : space_(space), options_(options) {}

  Proposal next(std::int64_t generation, std::string_view state, std::span<const Result> last,
                std::int64_t count) const override {
    Members members = read(generation, state);
    for (Result& result : usable_results(space_, last)) {
      members.points.push_back(std::move(result.point));
      members.rewards.push_back(result.reward);
    }
    const std::ptrdiff_t leaving = std::max<std::ptrdiff_t>(0, std::ssize(members.points) - options_.population);
    members.points.erase(members.points.begin(), members.points.begin() + leaving);
    members.rewards.erase(members.rewards.begin(), members.rewards.begin() + leaving);
    nlohmann::json text = new_state({"evolution", generation, space_});
    text["points"] = members.points;
    text["rewards"] = members.rewards;
    return {members.points.empty() ? random_points(space_, options_, generation, count)
                                   : children(members, generation, count),
            text.dump()};
  }

 private:
  Members read(std::int64_t generation, std::string_view text) const {
    const std::optional<StateReader> state = read_state(text, "evolution", generation, space_);
    if (!state) return {};
    Members members{state->points("points"), state->numbers("rewards")};
    if (members.points.size() != members.rewards.size())
      throw input_error("controller state: rewards: wrong number (got {}, expected {}, one for each point)",
                        members.rewards.size(), members.points.size());
    return members;
  }

  const Point& parent(const Members& members, Draws& draws) const {
    std::size_t best = members.points.size();
    for (std::int64_t i = 0; i < options_.tournament; ++i) {
      const auto drawn = static_cast<std::size_t>(draws.below(std::ssize(members.points)));
      if (best == members.points.size() || members.rewards[drawn] > members.rewards[best]) best = drawn;
    }
    return members.points[best];
  }

  std::vector<Point> children(const Members& members, std::int64_t generation, std::int64_t count) const {
    std::vector<Point> points;
    points.reserve(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) {
      Draws draws(key_of(options_, generation, i), "evolution child");
      points.push_back(accepted_point(options_, [&] { return mutate(space_, parent(members, draws), draws); }));
    }
    return points;
  }

  Space space_;
  ControllerOptions options_;
};

}  // namespace

std::unique_ptr<Controller> make_evolution(const Space& space, const ControllerOptions& options) {
  return std::make_unique<Evolution>(space, options);
}

}  // namespace effnet::search
