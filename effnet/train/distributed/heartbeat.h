// Who of a group is still there, told by heartbeats in the store that the processes met in. A collective itself only
// says that some connection broke, or, where a machine vanished or NCCL is at work, nothing at all.
//
// Each process counts up a number of its own twice a second; rank 0 reads all numbers, the others rank 0's and its
// verdict. A process is gone
//   - at once when the store's connection breaks, if that is rank 0, which holds the store;
//   - after `suspected` of silence when anybody's collective failed (a killed process: 3 to 5 seconds in all);
//   - after `silent` of silence else (a machine that lost power, a network that is cut);
//   - `left` after it said goodbye while others still wait for it: it ended with an error of its own.
// A slow process is none of these: the heartbeat has a thread to itself.
#pragma once

#include <torch/torch.h>

#include <chrono>
#include <memory>
#include <string_view>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace effnet::train {

struct HeartbeatTiming {
  std::chrono::milliseconds beat{500};
  std::chrono::milliseconds suspected{3000};
  std::chrono::milliseconds silent{60000};
  std::chrono::milliseconds left{2000};
};

class Heartbeat {
 public:
  // `store` is a connection of its own: a thread uses it until leave().
  Heartbeat(c10::intrusive_ptr<c10d::Store> store, int rank, int world, bool rank0_has_store,
            HeartbeatTiming timing = {});
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // Only to be called by who waits for the others: throws Error(environment) that names who is gone.
  void check();
  // A collective failed with `why`: waits until it is known who is gone, and throws Error(environment).
  [[noreturn]] void blame(std::string_view why);
  // Goodbye. Rank 0 then waits (at most 10 s) until the others have said it too: the store ends with its process.
  void leave();

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the thread, which may hang in the store of a machine that vanished
  std::thread thread_;
};

}  // namespace effnet::train
