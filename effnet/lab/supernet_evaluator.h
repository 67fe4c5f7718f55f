// Evaluates networks with the weights of a trained supernet.
#pragma once

#include <memory>

#include "effnet/formats/model_file.h"
#include "effnet/search/nas/evaluator.h"

namespace effnet::lab {

// Batch norm of a child: its moving statistics are the means over the statistics of this many training batches, with
// the child's own weights. With the statistics of the supernet, which mix all children, the accuracy is that of chance
// (Guo et al. 2020, section 3.4).
inline constexpr std::int64_t kStatisticsBatches = 16;

// The evaluator "supernet": the top-1 from 0 to 1 of the child on the validation images. `settings`: `supernet` is the
// file, `recipe` gives the images; if it is empty, the recipe of the supernet. `seed` draws the images for the batch
// norm statistics. Details: {"top1","images"} with top1 in percent. Throws Error(input) for a file of another space,
// with other weights than `supernet_digest` says, or images with another number of classes.
std::unique_ptr<search::Evaluator> make_supernet_evaluator(const search::Space& space,
                                                           const search::EvaluatorSettings& settings,
                                                           const search::EvaluatorPlace& place);

// The child as a model that formats::write_model() writes: its weights, batch norm statistics, class names and
// preprocessing. Its top-1 is what the evaluator returns.
formats::Model child_model(const search::Space& space, const search::EvaluatorSettings& settings,
                           const search::EvaluatorPlace& place, const search::Point& point);

}  // namespace effnet::lab
