// The progress of a run. A checkpoint stores it beside the state of the trainer.
#pragma once

#include <cstdint>

namespace effnet::train {

// The measurements of the current epoch are stored as sums, so that a resumed run gets exactly the same means.
struct Position {
  std::uint64_t epoch = 0;             // epochs done
  std::int64_t batch = 0;              // batches done in the current epoch
  double loss_sum = 0;                 // sum of the losses in the current epoch, over all ranks
  std::int64_t right = 0, images = 0;  // of the current epoch, over all ranks; `right`: number of correct predictions
  double best_top1 = -1;               // percent; below 0 before the first validation
  std::int64_t best_epoch = 0;         // counted from 1
  double seconds = 0;                  // training time so far, including earlier processes of the run
  std::uint64_t metrics_bytes = 0;     // the length of metrics.csv at this position
  double epochs = 0;                   // the run's length in epochs, fitted to its time budget; 0: not fitted

  void begin_next_epoch() {
    ++epoch;
    batch = right = images = 0;
    loss_sum = 0;
  }
};

}  // namespace effnet::train
