// Runs work on one rank or on all ranks and reports a failure on all ranks, so that no rank waits for a failed one.
// All ranks must call these functions in the same order.
#pragma once

#include <functional>

#include "effnet/train/distributed/group.h"

namespace effnet::train {

// Runs `work` on every rank. If it throws on some ranks, all ranks throw the Error of the lowest of these.
void run_on_all_ranks(Group& group, const std::function<void()>& work);
// Runs `work` on rank 0. If it throws, its Error is thrown on all ranks.
void run_on_rank0(Group& group, const std::function<void()>& work);
// Returns rank 0's `text` on every rank.
std::string broadcast_from_rank0(Group& group, const std::string& text);

}  // namespace effnet::train
