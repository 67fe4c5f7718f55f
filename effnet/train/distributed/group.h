// Interface of a group of processes that train one model. A single process is a group of world size 1.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/train/distributed/rank_info.h"

// Types of LibTorch. They are only declared, because its headers take seconds to compile.
namespace at {
class Tensor;
}
namespace c10 {
struct Device;
}

namespace effnet::train {

struct KeyValue {
  std::string key, value;
};

class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int world() const = 0;
  // Collectives: all ranks must call them in the same order. If another rank is lost, they throw an Error(environment)
  // that names it: about 5 s after its process was killed, a minute after its machine vanished (heartbeat.h).
  virtual void sum(at::Tensor& tensor) = 0;                  // all-reduce in place
  virtual void broadcast(at::Tensor& tensor, int from) = 0;  // copies rank `from`'s value to all ranks, in place
  virtual void barrier() = 0;
  virtual std::vector<std::string> gather(std::string_view text) = 0;  // the texts of all ranks, on all ranks

  // Averages the gradients over the ranks in buckets of `bucket_bytes` while backward runs (buckets.h). Call
  // begin_gradients() before backward and end_gradients() after it. `parameters` must have the same order on all ranks.
  virtual void begin_gradients(const std::vector<at::Tensor>& parameters, std::int64_t bucket_bytes = 4 << 20) = 0;
  virtual void end_gradients() = 0;
};

std::unique_ptr<Group> single_process();

// Joins the group that `info` describes. Collectives use Gloo on the CPU and NCCL on GPUs (if LibTorch has it).
// `compared` must be the same on all ranks (consistency.h). `log` gets a line when this process waits for other ranks.
// Throws Error(environment) if other ranks do not join in time or if the limit on threads or open files is too low,
// Error(usage) for an unknown host name or if `compared` differs between ranks, and Error(interrupted) after a signal.
// The process must ignore SIGPIPE: otherwise a write to a rank that was just killed ends this process without a message
// (seen in one of 15 runs).
std::unique_ptr<Group> join(const RankInfo& info, c10::Device device, std::vector<KeyValue> compared = {},
                            std::function<void(const std::string&)> log = {});

}  // namespace effnet::train
