// Chooses the settings of a fine-tuning run from the size of the data, the time and the accuracy of the linear probe.
// docs/results/finetune.md has what was measured. Each choice has its reason, which the log and the report print.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/report/finetune_file.h"

namespace effnet::train {

// The part of the time budget that is kept for the report, for writing files, and for slower steps.
inline constexpr double kBudgetReserve = 0.06;

struct DataSize {
  std::int64_t train = 0, val = 0, test = 0;  // images
  std::int64_t classes = 0;
  double median_side_px = 0;  // the shorter side of the images
  bool second_run = true;     // whether a final run follows the trial; see needs_second_run()
};

// Whether a final run on training and validation images is worth its time, which is as long as that of the trial. With
// many images of which few are in val it is not: one run of twice the length on the training images is more accurate.
bool needs_second_run(const DataSize& data);

// The input of the network.
struct InputPlan {
  std::int64_t resolution = 0;
  // The images are smaller than the input: they are resized as a whole, without a crop, and training shifts them by up
  // to `shift_px`. 0: random crops.
  std::int64_t shift_px = 0;
  std::string why = {};
};

// InputPlan::shift_px for images of this dataset: an eighth of the resolution if they are smaller, else 0.
std::int64_t shift_at(std::int64_t resolution, const DataSize& data);

// `own`: the model's resolution. `image_s`: the time of training on one image at this resolution, which grows with the
// number of pixels. `budget_s`: the time for everything; 0: not given.
InputPlan choose_input(const DataSize& data, std::int64_t own, double image_s, double budget_s);

// The time for the whole command in seconds, if the user gives none: enough epochs for the number of images.
double default_budget_s(const DataSize& data, double image_s, double spent_s);

// The duration of the runs. The trial trains on the training images, and everything is chosen on validation images.
// The final run, if there is one, trains on training and validation images for the same number of epochs.
struct Durations {
  double trial_s = 0;  // time budget of the trial; 0: not even one epoch of each run fits into the time
  double epochs = 0;   // expected
};
// `spent_s`: what the command has used of `budget_s`. `image_s`: the time of training on one image.
Durations choose_durations(const DataSize& data, double image_s, double budget_s, double spent_s);

// The settings that differ from the recipe `finetune`. `probe_top1`: percent, on validation images.
std::vector<report::FinetuneChoice> choose_settings(const DataSize& data, const InputPlan& input, double epochs,
                                                    double probe_top1);

}  // namespace effnet::train
