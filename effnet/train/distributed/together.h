// Work of one process or of each, whose failure all processes learn: none is left waiting for one that has given up.
#pragma once

#include <functional>

#include "effnet/train/distributed/group.h"

namespace effnet::train {

// `work` on every rank; if it fails on some, the lowest one's Error is thrown on all.
void run_on_all_ranks(Group& group, const std::function<void()>& work);
// The same with `work` on rank 0 alone.
void run_on_rank0(Group& group, const std::function<void()>& work);
// What rank 0's `text` says, on every rank.
std::string broadcast_from_rank0(Group& group, const std::string& text);

}  // namespace effnet::train
