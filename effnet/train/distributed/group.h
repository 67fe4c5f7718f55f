// The processes that train together, as the trainer sees them. One process alone is a group too.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/train/distributed/rank_info.h"

namespace effnet::train {

struct Fact {
  std::string key, value;
};

class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int world() const = 0;
  // All throw Error(environment) that names the rank when another process is gone, within seconds.
  virtual void sum(torch::Tensor& tensor) = 0;  // in place, over all ranks
  virtual void broadcast(torch::Tensor& tensor, int from) = 0;
  virtual void barrier() = 0;
  virtual std::vector<std::string> gather(std::string_view text) = 0;  // every rank's text, on every rank

  // Gradients are averaged over the ranks in buckets of `bucket_bytes` while backward still runs: begin() before
  // backward, end() after it. One bucket layout for all ranks: the parameters in reverse order.
  virtual void begin_gradients(const std::vector<torch::Tensor>& parameters, std::int64_t bucket_bytes = 4 << 20) = 0;
  virtual void end_gradients() = 0;
};

std::unique_ptr<Group> single_process();

// Gloo on the CPU, NCCL on GPUs where the LibTorch has it. Throws Error(environment) if the others do not come or the
// system has no room for it (threads, files), Error(usage) for an address that is not known or `facts` (facts.h) that
// are not the same on all ranks, Error(interrupted). `tell` gets a line when others are waited for. The process must
// ignore SIGPIPE: writing to a rank that was just killed would end it without a word (seen in one of 15 runs).
std::unique_ptr<Group> join(const RankInfo& place, torch::Device device, std::vector<Fact> facts = {},
                            std::function<void(const std::string&)> tell = {});

}  // namespace effnet::train
