#include "effnet/search/control/draw_points.h"

#include <cmath>

#include "effnet/base/error.h"

namespace effnet::search {

RandomKey key_of(const ControllerOptions& options, std::int64_t generation, std::int64_t index) {
  return {options.seed, static_cast<std::uint64_t>(generation), static_cast<std::uint64_t>(index)};
}

Point accepted_point(const ControllerOptions& options, const std::function<Point()>& draw) {
  for (int i = 0; i < kMostDraws; ++i) {
    Point point = draw();
    if (!options.accepts || options.accepts(point)) return point;
  }
  throw input_error("search: no network found that may be evaluated (got {} networks above the limit, expected one)",
                    kMostDraws)
      .with_hint("raise the target of the objective, or use a space with cheaper networks");
}

std::vector<Point> random_points(const Space& space, const ControllerOptions& options, std::int64_t generation,
                                 std::int64_t count) {
  std::vector<Point> points;
  points.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    Draws draws(key_of(options, generation, i), "random point");
    points.push_back(accepted_point(options, [&] { return sample(space, draws); }));
  }
  return points;
}

bool is_point(const Space& space, const Point& point) {
  if (point.size() != space.choices.size()) return false;
  for (std::size_t i = 0; i < point.size(); ++i) {
    if (point[i] < 0 || point[i] >= std::ssize(space.choices[i].options)) return false;
  }
  return true;
}

std::vector<Result> usable_results(const Space& space, std::span<const Result> results) {
  std::vector<Result> usable;
  usable.reserve(results.size());
  for (const Result& result : results) {
    if (result.failed) continue;
    if (!is_point(space, result.point)) throw input_error("result of a network: not a point of the space");
    if (!std::isfinite(result.reward) || !std::isfinite(result.quality) || !std::isfinite(result.cost))
      throw input_error("result of a network: not a finite number (got reward {}, quality {}, cost {})", result.reward,
                        result.quality, result.cost);
    usable.push_back(result);
  }
  return usable;
}

}  // namespace effnet::search
