// A search for architectures as a study: its settings, the plan of its generations, and its results.
//
// Generations of the study. The controller proposes `generation_size` networks, which are evaluated with the first
// budget. With more than one budget the best part of them is evaluated again with the next budget, and so on
// (successive halving): each round is one generation of the study. After the last round the controller gets, for each
// network, the result of the largest budget that it received, and proposes the next networks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/search/control/controller.h"
#include "effnet/search/nas/evaluator.h"
#include "effnet/search/space/latency_table.h"
#include "effnet/search/space/objective.h"
#include "effnet/search/space/space.h"
#include "effnet/search/study/worker.h"

namespace effnet::search {

inline constexpr std::string_view kNasStudy = "nas";  // the kind of the study

struct NasSearch {
  Space space;
  Objective objective;
  std::optional<LatencyTable> latency;  // set if objective.cost is "latency"
  std::string controller = "evolution";
  ControllerOptions control = {};  // `accepts` is set by controller_of()
  EvaluatorSettings evaluator = {};
  std::vector<double> budgets = {1};  // of the rounds, ascending, in the evaluator's unit
  double keep = 1.0 / 3;              // fraction of the networks that goes to the next round
  std::int64_t trials = 100;          // networks that the controller proposes in all
  std::int64_t generation_size = 16;
  // If not empty, these networks are evaluated, in one generation, and the controller is not used.
  std::vector<Point> points = {};
};

// The settings of a study as JSON, and back. Throws Error(input) with `source` and the field for a wrong text.
std::string settings_text(const NasSearch& search);
NasSearch parse_nas_search(std::string_view text, std::string_view source);

// Throws Error(usage) for settings that cannot be searched. Throws Error(input) if a study cannot store the networks of
// the space, or if no network costs at most the target of a `limit` objective; the message has the cheapest one found.
void check(const NasSearch& search);

Plan plan_of(const NasSearch& search);  // keeps a copy of `search`

// About how long `workers` processes need for the rest of the search, as in halving.h. Too long if the controller
// proposes networks again, whose results are known.
std::optional<double> seconds_left(const NasSearch& search, const std::vector<Trial>& trials, int workers);

// The cost of a network by the search's objective.
double cost_of(const NasSearch& search, const arch::ArchSpec& spec);

// What the worker of a search calls: evaluates the trial's network, and makes its reward. Details of the trial:
// {"quality","cost","evaluator":{...}}.
Evaluate evaluate_with(const NasSearch& search, Evaluator& evaluator);  // both must outlive the result

// The numbers that evaluate_with() has stored with a trial that is done. Throws Error(input) if they are not there.
struct TrialNumbers {
  double quality = 0, cost = 0;
};
TrialNumbers numbers_of(const Trial& trial);

// A trial, with what its texts say. They are read once, because a study can have 10,000 trials.
struct NasTrial : Trial {
  Point point;                // its network
  TrialNumbers numbers = {};  // of a trial that is done
};
// Throws Error(input) with the trial's number for a text that is no network of the space or no numbers.
std::vector<NasTrial> read_trials(const Space& space, std::vector<Trial> trials);

struct NasRow {
  std::int64_t trial = 0;
  Point point;
  double budget = 0, reward = 0, quality = 0, cost = 0;
};
struct NasResult {
  std::int64_t waiting = 0, running = 0, done = 0, failed = 0;  // trials
  std::int64_t twins = 0;      // of those done: their result was known from the same network
  bool complete = false;       // all networks have been proposed and evaluated
  std::int64_t smaller = 0;    // networks that are done only with smaller budgets than those of `best`
  std::vector<NasRow> best;    // of the largest budget, each network once, the highest reward first
  std::vector<NasRow> pareto;  // of `best`: no other row has a higher quality and a lower cost; cheapest first
};
NasResult result_of(const NasSearch& search, const std::vector<NasTrial>& trials);

}  // namespace effnet::search
