// All evaluators of an architecture search, by name.
#pragma once

#include <memory>

#include "effnet/search/nas/evaluator.h"

namespace effnet::lab {

// Makes the evaluator settings.name of search::evaluators(). Throws Error(usage) for an unknown name or score, and
// Error(input) for a recipe, a dataset or a supernet that cannot be used.
std::unique_ptr<search::Evaluator> make_evaluator(const search::Space& space, const search::EvaluatorSettings& settings,
                                                  const search::EvaluatorPlace& place);

}  // namespace effnet::lab
