// Where a run stands, besides the trainer's own state: what a checkpoint holds of the run.
#pragma once

#include <cstdint>

namespace effnet::train {

// Meters are sums, so that they go on exactly.
struct Position {
  std::uint64_t epoch = 0;
  std::int64_t batch = 0;  // batches of this epoch already used
  double loss_sum = 0;     // of this epoch so far, over all ranks
  std::int64_t right = 0, images = 0;
  double best_top1 = -1;
  std::int64_t best_epoch = 0;
  double seconds = 0;               // of training so far, over all starts
  std::uint64_t metrics_bytes = 0;  // length of metrics.csv that belongs to this state
  double epochs = 0;                // of the run as fitted to a time budget; 0: not fitted

  void begin_next_epoch() {
    ++epoch;
    batch = right = images = 0;
    loss_sum = 0;
  }
};

}  // namespace effnet::train
