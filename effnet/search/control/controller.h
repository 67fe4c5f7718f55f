// Controllers: they propose the networks of the next generation from the results of the last one.
//
// A controller has no memory of its own. Its state is a text in the study, which next() receives and returns. So any
// worker can make the next generation, and a trial depends only on the generations before it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/search/space/space.h"

namespace effnet::search {

struct Result {
  Point point;
  double reward = 0;    // of the objective; higher is better
  double quality = 0;   // of the evaluator; higher is better
  double cost = 0;      // lower is better
  bool failed = false;  // the other three numbers have no meaning
};

struct Proposal {
  std::vector<Point> points;  // canonical; may repeat points of earlier generations, whose result is then known
  std::string state;          // for the next call
};

class Controller {
 public:
  virtual ~Controller() = default;
  // The points of generation `generation`, which counts from 0. `state`: what the call for the generation before
  // returned; empty for generation 0. `last`: the results of that generation, in its order; empty for generation 0.
  // `count`: how many points to propose, at least 1. A pure function of its arguments. Throws Error(input) for a state
  // that it cannot read.
  virtual Proposal next(std::int64_t generation, std::string_view state, std::span<const Result> last,
                        std::int64_t count) const = 0;
};

struct ControllerOptions {
  std::uint64_t seed = 1;
  // evolution (Real et al., AAAI 2019) and nsga2 (Deb et al., 2002)
  std::int64_t population = 64;  // members; the oldest ones leave (evolution), the worst ones (nsga2)
  std::int64_t tournament = 16;  // evolution: members of which the best one becomes a parent
  double crossover = 0.9;        // nsga2: probability that a child has two parents
  // rl, with the values of NASNet (Zoph et al., CVPR 2018, appendix)
  std::int64_t hidden = 100;      // units of the LSTM, at most 1000
  double learning_rate = 3.5e-4;  // of Adam
  double entropy_weight = 1e-5;
  double baseline_decay = 0.95;  // of the moving average of rewards
  // Whether a network may be evaluated; empty: all may. The controllers draw again, at most kMostDraws times for a
  // point, and then throw Error(input).
  std::function<bool(const Point&)> accepts = {};
};
inline constexpr int kMostDraws = 10'000;

// Throws Error(usage) for values out of range.
void check(const ControllerOptions& options);

struct ControllerKind {
  std::string_view name;  // "random", "evolution", "rl", "nsga2"
  std::string_view what;  // one line for --help
  // Keeps copies of both. Requires options that check() accepts and a space with at least one choice.
  std::unique_ptr<Controller> (*make)(const Space& space, const ControllerOptions& options);
};
std::span<const ControllerKind> controller_kinds();            // a new controller is a row in controllers.cc
const ControllerKind& controller_kind(std::string_view name);  // throws Error(usage) with the nearest name

}  // namespace effnet::search
