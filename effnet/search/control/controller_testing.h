// Spaces and searches for the tests of controllers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "effnet/search/control/controller.h"
#include "effnet/search/space/space.h"

namespace effnet::search {

// 14 choices of 3 options, 4.8 million points. Each point is another network: every kernel and expansion has an effect.
inline Space wide_space() {
  return parse_space(
      "name = 'wide'\n"
      "base = 'efficientnet_b0'\n"
      "[choices]\n"
      "kernel = [3, 5, 7]\n"
      "expand = [3, 4, 6]\n",
      "test");
}

// 4 choices, 36 points, each another network.
inline Space small_space() {
  return parse_space(
      "name = 'small'\n"
      "base = 'efficientnet_b0'\n"
      "[[stages]]\n"
      "stage = 2\n"
      "kernel = [3, 5, 7]\n"
      "expand = [3, 6]\n"
      "[[stages]]\n"
      "stage = 3\n"
      "kernel = [3, 5]\n"
      "expand = [3, 4, 6]\n",
      "test");
}

// Stage 1 has one block, which changes the number of channels and so has no skip connection. The first choice has
// therefore no effect: 24 points, 12 networks.
inline Space space_with_twins() {
  return parse_space(
      "name = 'twins'\n"
      "base = 'efficientnet_b0'\n"
      "[[stages]]\n"
      "stage = 1\n"
      "skip = [true, false]\n"
      "[[stages]]\n"
      "stage = 2\n"
      "kernel = [3, 5, 7]\n"
      "expand = [3, 6]\n"
      "skip = [true, false]\n",
      "test");
}

using EvaluatePoint = std::function<Result(const Point&)>;

// The results of all generations, in their order.
inline std::vector<Result> run_search(const Controller& controller, std::int64_t generations, std::int64_t size,
                                      const EvaluatePoint& evaluate) {
  std::vector<Result> all, last;
  std::string state;
  for (std::int64_t generation = 0; generation < generations; ++generation) {
    Proposal proposal = controller.next(generation, state, last, size);
    last.clear();
    last.reserve(proposal.points.size());
    for (const Point& point : proposal.points) last.push_back(evaluate(point));
    all.insert(all.end(), last.begin(), last.end());
    state = std::move(proposal.state);
  }
  return all;
}

inline double best_reward(const std::vector<Result>& results) {
  const auto less = [](const Result& a, const Result& b) { return a.reward < b.reward; };
  return std::ranges::max_element(results, less)->reward;
}

}  // namespace effnet::search
