// Going once through a validation set: every image exactly once over all processes, sums over them.
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

using CorruptList = std::vector<std::pair<std::string, std::string>>;  // name, why

CorruptList gather_from_all_ranks(Group& group, const CorruptList& own);  // on every rank

struct ValidationSet {
  std::shared_ptr<const data::Dataset> set;
  Preprocessing rule;
  data::LoaderOptions loader;
};

struct Validation {
  std::int64_t images = 0;
  double loss = 0, top1 = 0, top5 = 0;  // mean cross entropy (no smoothing); percent; of the plain weights
  std::optional<double> average_top1;   // of the moving average, where there is one
  // Images that either set of weights answers with what is not finite, and this process's first batch with one: the
  // figures above then mean nothing.
  std::int64_t not_finite = 0;
  std::optional<data::Batch> example;
};

// Nothing if a signal came meanwhile (to any process). `broken` gets this process's. Throws Error(input) if no image
// could be read.
std::optional<Validation> validate(Trainer& trainer, const ValidationSet& set, torch::Device device, Group& group,
                                   CorruptList& broken);

struct ValidationCost {
  double validate_s = 0, predict_s = 0;  // what validate() and predict() take
};
// From some batches, measured for at most about `limit_s`; this process's view. Changes nothing.
ValidationCost measure_validation(Trainer& trainer, const ValidationSet& set, double limit_s);

// What the weights (the averaged ones where there are such) say of each image, in the set's order, on every rank.
// Nothing if a signal came.
std::optional<std::vector<report::Prediction>> predict(Trainer& trainer, const ValidationSet& set, Group& group);

}  // namespace effnet::train
