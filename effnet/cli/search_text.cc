#include "effnet/cli/search_text.h"

#include "effnet/base/text.h"
#include "effnet/cli/output.h"
#include "effnet/graph/counted_costs.h"

namespace effnet::cli {

using search::NasSearch;

std::string space_text(const search::Space& space) {
  constexpr std::size_t kMostDigits = 12;  // more are shown as a power of ten
  std::string points = space.size();       // several points can be one network
  if (points.size() > kMostDigits) {
    points = fmt::format("{}.{} x 10^{}", points[0], points[1], points.size() - 1);
  } else {
    points = grouped(std::stoll(points));
  }
  return fmt::format("{} (up to {} networks)", space.name, points);
}

std::string cost_text(const NasSearch& search, double cost) { return graph::cost_text(search.objective.cost, cost); }

std::string quality_text(const NasSearch& search, double quality) {
  const bool accuracy = search::evaluator_facts(search.evaluator.name).accuracy;
  return accuracy ? fmt::format("{:.2f} %", 100 * quality) : fmt::format("{:.4g}", quality);
}

std::string budget_text(const NasSearch& search, const search::NasResult& result) {
  if (search.budgets.size() < 2 || result.best.empty()) return {};
  return fmt::format("with {}", number_of(result.best.front().budget, "epoch"));
}

std::string objective_text(const NasSearch& search) {
  const search::Objective& o = search.objective;
  const std::string target = cost_text(search, o.target);
  switch (o.form) {
    case search::ObjectiveForm::soft:
      return fmt::format("quality x ({} / {})^{:g}", o.cost, target, o.weight);
    case search::ObjectiveForm::hard:
      return fmt::format("quality x min(1, {} / {})", target, o.cost);
    case search::ObjectiveForm::limit:
      return fmt::format("quality, at most {}", target);
  }
  return {};
}

}  // namespace effnet::cli
