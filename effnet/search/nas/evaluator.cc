#include "effnet/search/nas/evaluator.h"

#include <array>

#include "effnet/base/names.h"

namespace effnet::search {
namespace {

constexpr std::array<EvaluatorFacts, 4> kEvaluators{{
    {.name = "toy",
     .what = "a table of random numbers with a known optimum, to try a search in seconds",
     .unit = "",
     .accuracy = true,
     .needs_torch = false},
    {.name = "proxy",
     .what = "a short training of the network; the quality is its top-1 on the validation images",
     .unit = "epochs",
     .accuracy = true,
     .device = true},
    {.name = "supernet",
     .what = "the top-1 with weights from a network that contains all networks of the space",
     .unit = "",
     .accuracy = true,
     .device = true},
    {.name = "zerocost", .what = "a score of the untrained network on one batch", .unit = "", .accuracy = false},
}};

}  // namespace

std::span<const EvaluatorFacts> evaluators() { return kEvaluators; }

const EvaluatorFacts& evaluator_facts(std::string_view name) {
  return row_named(kEvaluators, name, ErrorCode::usage, "unknown evaluator");
}

}  // namespace effnet::search
