#include "effnet/lab/evaluators.h"

#include <array>

#include "effnet/base/error.h"
#include "effnet/lab/proxy.h"
#include "effnet/lab/supernet_evaluator.h"
#include "effnet/lab/zero_cost.h"

namespace effnet::lab {
namespace {

using Make = std::unique_ptr<search::Evaluator> (*)(const search::Space&, const search::EvaluatorSettings&,
                                                    const search::EvaluatorPlace&);
struct Row {
  std::string_view name;  // of search::evaluators()
  Make make;
};
constexpr std::array kRows{
    Row{"toy", [](const search::Space& space, const search::EvaluatorSettings& settings,
                  const search::EvaluatorPlace&) { return search::make_toy_evaluator(space, settings); }},
    Row{"proxy", make_proxy_evaluator},
    Row{"supernet", make_supernet_evaluator},
    Row{"zerocost", make_zero_cost_evaluator},
};

}  // namespace

std::unique_ptr<search::Evaluator> make_evaluator(const search::Space& space, const search::EvaluatorSettings& settings,
                                                  const search::EvaluatorPlace& place) {
  const search::EvaluatorFacts& facts = search::evaluator_facts(settings.name);  // throws for an unknown name
  for (const Row& row : kRows) {
    if (row.name == facts.name) return row.make(space, settings, place);
  }
  throw internal_error("the evaluator {} has no function that makes it", facts.name);
}

}  // namespace effnet::lab
