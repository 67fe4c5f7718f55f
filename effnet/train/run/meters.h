// What is measured of the running epoch: sums over all processes, which a checkpoint holds, and this process's times,
// which it does not.
#pragma once

#include <cstdint>
#include <optional>

#include "effnet/report/run_folder.h"
#include "effnet/train/distributed/group.h"
#include "effnet/train/run/evaluate.h"
#include "effnet/train/run/progress.h"
#include "effnet/train/run/timeline.h"

namespace effnet::train {

struct StepSums {  // over the images of all ranks
  double loss = 0;
  std::int64_t right = 0, images = 0;
  bool stopping = false;  // a signal came to one of them
};
// To be called on all ranks after each step. `interrupted`: a signal came to this one.
StepSums sum_over_ranks(const StepResult& result, bool interrupted, Group& group, torch::Device device);

// This process's steps of the running epoch, by its clock.
struct StepTimes {
  double seconds = 0;
  std::int64_t images = 0, steps = 0;  // images: of all ranks

  double images_per_second() const { return seconds > 0 ? static_cast<double>(images) / seconds : 0; }
  double seconds_a_step() const { return steps > 0 ? seconds / static_cast<double>(steps) : 0; }
};

class Meters {
 public:
  // Outlive this. Sums are added to the position's.
  Meters(const Timeline& timeline, Position& position) : timeline_(timeline), position_(position) {}

  void add(const StepSums& sums, double seconds);  // a step's
  double epoch_s() const;                          // of an epoch's training, by the steps so far; 0: no step so far
  double mean_loss() const { return position_.loss_sum / static_cast<double>(position_.images); }
  Progress progress(double lr) const;
  // The line of metrics.csv for the running epoch, whose steps are done.
  report::EpochMetrics row(const std::optional<Validation>& validation) const;
  void begin_next_epoch();

 private:
  double mean_top1() const {
    return 100 * static_cast<double>(position_.right) / static_cast<double>(position_.images);
  }

  const Timeline& timeline_;
  Position& position_;
  StepTimes times_;
};

}  // namespace effnet::train
