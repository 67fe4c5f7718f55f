#include "effnet/cli/search_text.h"

#include "effnet/base/text.h"
#include "effnet/cli/output.h"
#include "effnet/model/cost_by_name.h"

namespace effnet::cli {

using search::NasSearch;

std::string space_text(const search::Space& space) {
  std::string points = space.size();  // several points can be one network
  for (std::ptrdiff_t at = std::ssize(points) - 3; at > 0; at -= 3) points.insert(static_cast<std::size_t>(at), ",");
  return fmt::format("{} (up to {} networks)", space.name, points);
}

std::string cost_text(const NasSearch& search, double cost) {
  const std::string& name = search.objective.cost;
  if (name == model::kLatencyCost) return fmt::format("{:.3g} ms", cost);
  if (name == "memory") return fmt::format("{:.2f} MB", 1e-6 * cost);
  return fmt::format("{} {}", abbreviated(cost), name);
}

std::string quality_text(const NasSearch& search, double quality) {
  const bool accuracy = search::evaluator_facts(search.evaluator.name).accuracy;
  return accuracy ? fmt::format("{:.2f} %", 100 * quality) : fmt::format("{:.4g}", quality);
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
