// What a search maximises: accuracy and cost of a network as one number (MnasNet, Tan et al., CVPR 2019, section 3;
// Tan & Le 2019, section 4, with T = 400 million MACs).
#pragma once

#include <string>

#include "effnet/base/names.h"

namespace effnet::search {

enum class ObjectiveForm {
  soft,   // accuracy * (cost / target)^weight: cheaper networks gain, larger ones lose
  hard,   // accuracy if cost <= target, else accuracy * (target / cost)
  limit,  // accuracy; networks that cost more than the target are not evaluated
};
inline constexpr NameTable<ObjectiveForm, 3> kObjectiveForms{
    {{ObjectiveForm::soft, "soft"}, {ObjectiveForm::hard, "hard"}, {ObjectiveForm::limit, "limit"}}};

struct Objective {
  ObjectiveForm form = ObjectiveForm::soft;
  std::string cost = "macs";  // "macs", "params", "memory" or "latency"
  double target = 0;          // above 0; in the unit of the cost: MACs, parameters, bytes or milliseconds
  double weight = -0.07;      // of the soft form, from -10 to 0
};

// Throws Error(usage) for a target or a weight out of range. The name of the cost is checked by the code that computes
// the cost.
void check(const Objective& objective);

// `quality`: what the evaluator returns, from 0 to 1 for an accuracy. Scores without a training (zero-cost) have
// another range; with them only the form `limit` has a meaning, and the caller has to check that. `cost`: above 0.
double reward(const Objective& objective, double quality, double cost);

}  // namespace effnet::search
