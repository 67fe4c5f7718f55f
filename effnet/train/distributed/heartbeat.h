// Detects lost ranks by heartbeats in the group's store. A collective itself only reports that some connection failed,
// or nothing at all if a machine vanished or if NCCL is used.
//
// Each process increments a counter of its own twice a second. Rank 0 reads the counters of all ranks, the other ranks
// read rank 0's counter. The rank that finds a lost one publishes it in the store, where all ranks read it. A rank
// counts as lost
//   - at once if it is rank 0, which runs the store, and the connection to the store fails;
//   - after `suspected_timeout` without a heartbeat if a collective of any rank failed. A killed process is detected
//     after 3 to 5 s in all;
//   - after `timeout` without a heartbeat otherwise, for example if its machine lost power or the network;
//   - `exit_grace` after it left the group while other ranks still wait for it: then it ended with its own error.
// A slow rank is not lost: a separate thread sends the heartbeats.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <memory>
#include <string_view>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace effnet::train {

struct HeartbeatTiming {
  std::chrono::milliseconds interval{500};
  std::chrono::milliseconds suspected_timeout{3000};
  std::chrono::milliseconds timeout{60000};
  std::chrono::milliseconds exit_grace{2000};
};

class Heartbeat {
 public:
  // `store` must be a connection that no other code uses: the heartbeat thread uses it until leave().
  // `rank0_has_store`: rank 0 runs the store's server (else torchrun's agent does).
  Heartbeat(c10::intrusive_ptr<c10d::Store> store, int rank, int world, bool rank0_has_store,
            HeartbeatTiming timing = {});
  ~Heartbeat();  // calls leave()
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // Throws Error(environment) that names the lost rank, if there is one. To be called only while this rank
  // waits for other ranks.
  void check();
  // To be called when a collective failed with `why`: waits until the lost rank is known and throws Error(environment).
  [[noreturn]] void report_failure(std::string_view why);
  // Announces that this rank leaves the group, and stops the thread. If rank 0 runs the store, it then waits, at most
  // 10 s, until all other ranks have left too, because the store ends with rank 0's process.
  void leave();

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the thread, which can outlive this object if it is blocked in the store
  std::thread thread_;
};

}  // namespace effnet::train
