// What all controllers share: how they draw points, and which results count.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "effnet/base/random_key.h"
#include "effnet/search/control/controller.h"

namespace effnet::search {

// The random numbers of point `index` of a generation.
RandomKey key_of(const ControllerOptions& options, std::int64_t generation, std::int64_t index);

// The first point of `draw` that may be evaluated. Throws Error(input) after kMostDraws points that may not.
Point accepted_point(const ControllerOptions& options, const std::function<Point()>& draw);

// Points with a uniformly drawn option for each choice. They depend on the seed and the generation only, so random,
// evolution and nsga2 begin with the same points.
std::vector<Point> random_points(const Space& space, const ControllerOptions& options, std::int64_t generation,
                                 std::int64_t count);

bool is_point(const Space& space, const Point& point);

// The results that did not fail, in their order. Throws Error(input) for a point of another space and for a number that
// is not finite.
std::vector<Result> usable_results(const Space& space, std::span<const Result> results);

}  // namespace effnet::search
