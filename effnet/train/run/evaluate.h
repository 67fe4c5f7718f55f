// Evaluation on a validation set: the ranks share the images, each image is used exactly once, and the results are
// summed over all ranks.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "effnet/data/loader.h"
#include "effnet/report/run_folder.h"
#include "effnet/train/distributed/group.h"
#include "effnet/train/step/trainer.h"

namespace effnet::train {

using CorruptList = std::vector<std::pair<std::string, std::string>>;  // pairs of an image's name and the reason

// Returns the lists of all ranks as one sorted list, on every rank. An image that is in several lists is in it once: in
// training each rank meets other images in each epoch.
CorruptList gather_from_all_ranks(Group& group, const CorruptList& own);

struct ValidationSet {
  std::shared_ptr<const data::Dataset> set;
  Preprocessing rule;
  data::LoaderOptions loader;
};

struct Validation {
  std::int64_t images = 0;
  // Results of the trained weights. `loss`: mean cross entropy without label smoothing; `top1`, `top5`: percent.
  double loss = 0, top1 = 0, top5 = 0;
  std::optional<double> average_top1;  // percent, of the moving average of the weights; null if there is none
  // The number of images with logits that are not finite, for the trained weights or their average. If it is above 0,
  // the results above are meaningless. `example`: this rank's first batch with such an image.
  std::int64_t not_finite = 0;
  std::optional<data::Batch> example;
};

// Returns null if any rank received a signal to stop. Appends this rank's corrupt images to `corrupt`. Throws
// Error(input) if no image could be decoded.
std::optional<Validation> validate(Trainer& trainer, const ValidationSet& set, torch::Device device, Group& group,
                                   CorruptList& corrupt);

struct ValidationCost {
  double validate_s = 0, predict_s = 0;  // the duration of validate() and of predict()
};
// Estimates both durations for this rank from its first batches: at least 2, at most 8, and no further batch after
// `limit_s` seconds. Does not change the trainer.
ValidationCost measure_validation(Trainer& trainer, const ValidationSet& set, double limit_s);

// The prediction for each image, in the order of the dataset, on every rank. Uses the averaged weights if the run has
// them, else the trained weights. Returns null if any rank received a signal to stop. Appends this rank's corrupt
// images to `corrupt`.
std::optional<std::vector<report::Prediction>> predict(Trainer& trainer, const ValidationSet& set, Group& group,
                                                       CorruptList& corrupt);

}  // namespace effnet::train
