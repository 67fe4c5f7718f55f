// effnet bench --tune: the plan options that are fastest here, measured once and kept.
#pragma once

#include <string>

#include "effnet/base/thread_pool.h"
#include "effnet/cli/command.h"
#include "effnet/engine/session.h"
#include "effnet/engine/weights_cache.h"

namespace effnet::cli {

// Turns each switch of PlanOptions off in turn, keeps what is faster by more than the noise, and goes on from there;
// `seconds` in all, about.
// The choice is kept under home_folder()/tuned by CPU, instruction set, network, weights layout, input size, batch and
// threads; an unreadable or foreign file is measured again, an unwritable place is no fault.
engine::PlanOptions tuned_plan(const graph::Graph& graph, const std::string& arch,
                               const std::shared_ptr<const engine::PackedWeights>& weights,
                               const engine::SessionOptions& options, double seconds, ThreadPool& pool, Output& out);

// The default plan with these switches off: "fuse_pool,fuse_scale". Throws Error(usage) for an unknown name.
engine::PlanOptions plan_without(const std::string& switches);

Json to_json(const engine::PlanOptions& plan);

}  // namespace effnet::cli
