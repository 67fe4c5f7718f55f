// The measurements of the current epoch: sums over all ranks, which the checkpoint stores, and the step times of this
// process, which it does not store.
#pragma once

#include <cstdint>

#include "effnet/report/run_folder.h"
#include "effnet/train/distributed/group.h"
#include "effnet/train/run/evaluate.h"
#include "effnet/train/run/progress.h"
#include "effnet/train/run/timeline.h"

namespace effnet::train {

struct StepSums {  // over the images of all ranks
  double loss = 0;
  std::int64_t right = 0, images = 0;
  bool stopping = false;  // a rank received a signal to stop
};
// Sums the results of a step over the ranks. To be called on all ranks after each step. `interrupted`: this rank
// received a signal to stop.
StepSums sum_over_ranks(const StepResult& result, bool interrupted, Group& group, torch::Device device);

// The steps that this process did in the current epoch.
struct StepTimes {
  double seconds = 0;
  std::int64_t images = 0, steps = 0;  // `images` counts those of all ranks

  double images_per_second() const { return seconds > 0 ? static_cast<double>(images) / seconds : 0; }
  double seconds_per_step() const { return steps > 0 ? seconds / static_cast<double>(steps) : 0; }
};

class Meters {
 public:
  // Both references must outlive this object. add() updates the sums in `position`.
  Meters(const Timeline& timeline, Position& position) : timeline_(timeline), position_(position) {}

  void add(const StepSums& sums, double seconds);  // to be called after each step
  double epoch_s() const;  // estimated training time of an epoch from the steps so far; 0 before the first step
  double mean_loss() const { return position_.loss_sum / static_cast<double>(position_.images); }
  Progress progress(double lr) const;
  // The line of metrics.csv for the current epoch, without validation. To be called when all steps of the epoch are
  // done.
  report::EpochMetrics row() const;
  void begin_next_epoch();

 private:
  double mean_top1() const {
    return 100 * static_cast<double>(position_.right) / static_cast<double>(position_.images);
  }

  const Timeline& timeline_;
  Position& position_;
  StepTimes times_;
};

void set_validation(const Validation& validation, report::EpochMetrics& row);

}  // namespace effnet::train
