// A group of several processes on LibTorch's c10d: TCPStore for the rendezvous, Gloo for tensors on the CPU, NCCL for
// tensors on a GPU, and Heartbeat to detect lost ranks.
#pragma once

#include <memory>

#include "effnet/train/distributed/group.h"
#include "effnet/train/distributed/heartbeat.h"
#include "effnet/train/distributed/rendezvous.h"

namespace effnet::train {

struct JoinOptions {
  RendezvousOptions rendezvous;
  HeartbeatTiming heartbeat;
};

// As join() of group.h, with all options. Requires info.world > 1.
std::unique_ptr<Group> join_c10d(const RankInfo& info, torch::Device device, const JoinOptions& options = {});

}  // namespace effnet::train
