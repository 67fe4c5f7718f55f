#include "effnet/train/run/meters.h"

#include <cmath>

namespace effnet::train {

StepSums sum_over_ranks(const StepResult& result, bool interrupted, Group& group, torch::Device device) {
  const double loss = result.loss * static_cast<double>(result.images);
  if (group.world() == 1)
    return {.loss = loss, .right = result.right, .images = result.images, .stopping = interrupted};
  torch::Tensor sums = torch::tensor({loss, static_cast<double>(result.right), static_cast<double>(result.images),
                                      interrupted ? 1.0 : 0.0},
                                     torch::TensorOptions().dtype(torch::kDouble))
                           .to(device);
  group.sum(sums);
  sums = sums.cpu();
  const double* sum = sums.data_ptr<double>();
  return {.loss = sum[0], .right = std::llround(sum[1]), .images = std::llround(sum[2]), .stopping = sum[3] > 0};
}

void Meters::add(const StepSums& sums, double seconds) {
  position_.loss_sum += sums.loss;
  position_.right += sums.right;
  position_.images += sums.images;
  position_.batch += 1;
  times_.seconds += seconds;
  times_.images += sums.images;
  times_.steps += 1;
}

double Meters::epoch_s() const { return times_.seconds_per_step() * static_cast<double>(timeline_.batches()); }

Progress Meters::progress(double lr) const {
  Progress progress;
  progress.epoch = static_cast<std::int64_t>(position_.epoch) + 1;
  progress.step = position_.batch;
  progress.steps_per_epoch = timeline_.batches();
  progress.epochs = timeline_.epochs();
  progress.lr = lr;
  progress.loss = mean_loss();
  progress.top1 = mean_top1();
  progress.images_per_second = times_.images_per_second();
  if (const auto all = timeline_.steps_in_all())
    progress.seconds_left = static_cast<double>(*all - timeline_.steps_done()) * times_.seconds_per_step();
  return progress;
}

report::EpochMetrics Meters::row() const {
  report::EpochMetrics row;
  row.epoch = static_cast<std::int64_t>(position_.epoch) + 1;
  row.step = timeline_.steps_done();
  row.lr = timeline_.learning_rate_of_step(row.step - 1);
  row.train_loss = mean_loss();
  row.train_top1 = mean_top1();
  row.images_per_second = times_.images_per_second();
  return row;
}

void set_validation(const Validation& validation, report::EpochMetrics& row) {
  row.val_loss = validation.loss;
  row.val_top1 = validation.top1;
  row.val_top5 = validation.top5;
  row.val_ema_top1 = validation.average_top1;
}

void Meters::begin_next_epoch() {
  position_.begin_next_epoch();
  times_ = {};
}

}  // namespace effnet::train
