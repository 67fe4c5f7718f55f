#include <array>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/names.h"
#include "effnet/search/control/controller.h"
#include "effnet/search/control/make_controllers.h"

namespace effnet::search {
namespace {

constexpr std::array<ControllerKind, 4> kKinds{{
    {"random", "every network drawn uniformly from the space", &make_random},
    {"evolution", "aging evolution: mutations of the best of a few recent networks", &make_evolution},
    {"rl", "an LSTM that learns by reinforcement (PPO) which options give a high reward", &make_rl},
    {"nsga2", "NSGA-II: evolution towards the Pareto front of quality and cost", &make_nsga2},
}};

template <class Number>
void expect_range(std::string_view what, Number value, bool in_range, std::string_view expected) {
  if (!in_range) throw usage_error("{}: out of range (got {}, expected {})", what, value, expected);
}

}  // namespace

void check(const ControllerOptions& o) {
  expect_range("--population", o.population, o.population >= 2 && o.population <= 100'000, "from 2 to 100000");
  expect_range("--tournament", o.tournament, o.tournament >= 1 && o.tournament <= 100'000, "from 1 to 100000");
  expect_range("crossover", o.crossover, o.crossover >= 0 && o.crossover <= 1, "from 0 to 1");
  expect_range("hidden units", o.hidden, o.hidden >= 1 && o.hidden <= 1000, "from 1 to 1000");
  expect_range("--learning-rate", o.learning_rate, o.learning_rate > 0 && o.learning_rate <= 1, "above 0, at most 1");
  expect_range("entropy weight", o.entropy_weight, o.entropy_weight >= 0 && std::isfinite(o.entropy_weight),
               "at least 0");
  expect_range("baseline decay", o.baseline_decay, o.baseline_decay >= 0 && o.baseline_decay < 1, "from 0 to below 1");
}

std::span<const ControllerKind> controller_kinds() { return kKinds; }

const ControllerKind& controller_kind(std::string_view name) {
  return row_named(kKinds, name, ErrorCode::usage, "unknown controller");
}

}  // namespace effnet::search
