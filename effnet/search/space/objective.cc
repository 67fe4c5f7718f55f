#include "effnet/search/space/objective.h"

#include <cmath>

#include "effnet/base/error.h"

namespace effnet::search {

void check(const Objective& objective) {
  if (!(objective.target > 0 && std::isfinite(objective.target)))
    throw usage_error("--target: out of range (got {}, expected a number above 0)", objective.target);
  constexpr double kLowestWeight = -10;  // MnasNet's hard form has -1
  if (!(objective.weight <= 0 && objective.weight >= kLowestWeight))
    throw usage_error("--weight: out of range (got {:g}, expected a number from {:g} to 0)", objective.weight,
                      kLowestWeight);
}

double reward(const Objective& objective, double quality, double cost) {
  switch (objective.form) {
    case ObjectiveForm::soft:
      return quality * std::pow(cost / objective.target, objective.weight);
    case ObjectiveForm::hard:
      return cost <= objective.target ? quality : quality * (objective.target / cost);
    case ObjectiveForm::limit:
      return quality;
  }
  throw internal_error("unknown form of an objective");
}

}  // namespace effnet::search
