// A group of several processes on LibTorch's c10d: TCPStore to meet, Gloo for tensors on the CPU, NCCL for those on a
// GPU, Heartbeat to know who is still there.
#pragma once

#include <memory>

#include "effnet/train/distributed/group.h"
#include "effnet/train/distributed/group_meet.h"
#include "effnet/train/distributed/heartbeat.h"

namespace effnet::train {

struct JoinOptions {
  Meeting meeting;
  HeartbeatTiming watch;
};

// join() of group.h, for place.world > 1.
std::unique_ptr<Group> join_c10d(const RankInfo& place, torch::Device device, const JoinOptions& options = {});

}  // namespace effnet::train
