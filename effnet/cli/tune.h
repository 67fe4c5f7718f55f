// effnet bench --tune: measures which plan options are fastest on this machine, and stores the result.
#pragma once

#include <string>

#include "effnet/base/thread_pool.h"
#include "effnet/cli/command.h"
#include "effnet/engine/session.h"
#include "effnet/engine/weights_cache.h"

namespace effnet::cli {

// Returns the fastest plan. `options.plan` must have all switches on: they are not part of what a stored result is for.
// Turns them off one after the other; a switch stays off if the plan is then more than 1 % faster. Takes about
// `seconds` in total. The result is stored in home_folder()/tuned, for this version, CPU, instruction set, network,
// weights layout, input size, batch and number of threads. A later call returns the stored result. If the stored file
// is unreadable or invalid, the plans are measured again. If the result cannot be stored, `out` gets a note and no
// error is thrown.
engine::PlanOptions tuned_plan(const graph::Graph& graph, const std::string& arch,
                               const std::shared_ptr<const engine::PackedWeights>& weights,
                               const engine::SessionOptions& options, double seconds, ThreadPool& pool, Output& out);

// Returns the default plan without the switches in a list such as "fuse_pool,fuse_scale". Throws Error(usage) for an
// unknown name.
engine::PlanOptions plan_without(const std::string& switches);

Json to_json(const engine::PlanOptions& plan);

}  // namespace effnet::cli
